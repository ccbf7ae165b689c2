// The heart of both kinds of BPE (Sennrich et al. 2016): a row of symbols, of which the best adjacent pair is
// merged again and again until no pair can be. A heap of candidate pairs makes it O(n log n), for 1 MiB of
// one letter too.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace cutaway {

struct Symbol {
  int32_t id;           // -1: characters that have no token of their own
  uint32_t begin, end;  // bytes; never empty
  int32_t prev, next;   // neighbours in the row, -1 at its ends; a merged-away symbol has next == kMergedAway
};
inline constexpr int32_t kMergedAway = -2;

// What a pair would become. The smallest key is merged first, the leftmost of equals: a rank, or a negated
// score.
struct Merge {
  double key;
  int32_t id;
};

struct MergeCandidate {
  double key;
  int32_t left;
  uint32_t
      end;  // where the pair ended when it was found: if its end differs now, a part was merged elsewhere
  int32_t id;
  bool operator<(const MergeCandidate& o) const {
    return key != o.key ? key > o.key : left > o.left;
  }  // heap top: smallest
};

// Merges in place. find(left, right, &merge) says whether two symbols may merge, and into what;
// on_merge(left, right, merge) hears of every merge before it is made. heap is scratch space.
template <class Find, class OnMerge>
void merge_pairs(std::vector<Symbol>& row, std::vector<MergeCandidate>& heap, const Find& find,
                 const OnMerge& on_merge) {
  heap.clear();
  const auto candidate = [&](int32_t left, MergeCandidate& out) {
    const int32_t right = row[left].next;
    Merge merge;
    if (right < 0 || !find(row[left], row[right], &merge)) return false;
    out = {merge.key, left, row[right].end, merge.id};
    return true;
  };
  MergeCandidate found;
  for (int32_t i = 0; i < static_cast<int32_t>(row.size()); ++i) {
    if (candidate(i, found)) heap.push_back(found);
  }
  std::make_heap(heap.begin(), heap.end());
  const auto push = [&](int32_t left) {
    if (left < 0 || !candidate(left, found)) return;
    heap.push_back(found);
    std::push_heap(heap.begin(), heap.end());
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    const MergeCandidate best = heap.back();
    heap.pop_back();
    Symbol& left = row[best.left];
    if (left.next < 0 || row[left.next].end != best.end) continue;  // stale
    Symbol& right = row[left.next];
    on_merge(left, right, Merge{best.key, best.id});
    left.id = best.id;
    left.end = right.end;
    left.next = right.next;
    right.next = kMergedAway;
    if (left.next >= 0) row[left.next].prev = best.left;
    push(left.prev);
    push(best.left);
  }
}

}  // namespace cutaway
