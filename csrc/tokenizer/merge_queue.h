// The merge loop of a BPE whose merges have ranks: the pair of lowest rank first, the leftmost of equals.
// Short rows are searched; long ones keep a queue for every rank that occurs, so that a long run of one
// character, which has few ranks, takes linear time.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace cutaway {

struct MergeSymbol {
  int32_t id;           // -1: characters that are in no piece
  uint32_t begin, end;  // bytes; never empty
  int32_t prev, next;   // neighbours in the row, -1 at its ends
};

struct RankedMerge {
  int32_t id = -1;  // -1: these two do not merge
  uint32_t rank = 0xFFFFFFFF;
};

// Candidates of one rank, leftmost first. They come in that order nearly always; those that do not go to a
// heap.
class RankQueue {
 public:
  struct Candidate {
    int32_t left;
    uint32_t end;  // where the pair ended when it was found: if it ends elsewhere now, a part was merged away
    int32_t id;
    bool operator<(const Candidate& o) const { return left > o.left; }  // heap top: leftmost
  };
  bool empty() const { return head_ == row_.size() && late_.empty(); }
  void push(const Candidate& candidate) {
    if (head_ == row_.size() || candidate.left >= row_.back().left) {
      row_.push_back(candidate);
    } else {
      late_.push_back(candidate);
      std::push_heap(late_.begin(), late_.end());
    }
  }
  Candidate pop() {
    if (late_.empty() || (head_ < row_.size() && row_[head_].left <= late_[0].left)) {
      const Candidate out = row_[head_++];
      if (head_ == row_.size()) row_.clear(), head_ = 0;
      return out;
    }
    std::pop_heap(late_.begin(), late_.end());
    const Candidate out = late_.back();
    late_.pop_back();
    return out;
  }

 private:
  std::vector<Candidate> row_, late_;
  size_t head_ = 0;
};

inline constexpr size_t kShortRow = 24;  // symbols

// Joins row[left] with its right neighbour.
inline void join(std::vector<MergeSymbol>& row, int32_t left, int32_t id) {
  const int32_t right = row[left].next;
  row[left].id = id;
  row[left].end = row[right].end;
  row[left].next = row[right].next;
  row[right].next = -2;  // merged away
  if (row[left].next >= 0) row[row[left].next].prev = left;
}

// Merges in place; row[0] stays the first symbol. ranks: how many there are. find(left, right) ->
// RankedMerge; on_merge(left, right, id) hears of every merge before it is made.
template <class Find, class OnMerge>
void merge_by_rank(std::vector<MergeSymbol>& row, uint32_t ranks, const Find& find, const OnMerge& on_merge) {
  if (row.size() <= kShortRow) {
    RankedMerge of[kShortRow];  // of[i]: symbol i with the one after it
    for (size_t i = 0; i + 1 < row.size(); ++i) of[i] = find(row[i], row[i + 1]);
    while (true) {
      int32_t best = -1;
      for (int32_t i = 0; row[i].next >= 0; i = row[i].next) {
        if (of[i].id >= 0 && (best < 0 || of[i].rank < of[best].rank)) best = i;
      }
      if (best < 0) return;
      on_merge(row[best], row[row[best].next], of[best].id);
      join(row, best, of[best].id);
      const int32_t prev = row[best].prev, next = row[best].next;
      if (prev >= 0) of[prev] = find(row[prev], row[best]);
      if (next >= 0) of[best] = find(row[best], row[next]);
    }
  }
  std::vector<RankQueue> queues;
  thread_local std::vector<int32_t> queue_of;  // of each rank, or -1; as it was when this returns
  if (queue_of.size() < ranks) queue_of.resize(ranks, -1);
  std::vector<uint32_t> met;   // the rank of each queue
  std::vector<uint32_t> open;  // ranks whose queues are not empty, as a heap, lowest first
  const auto push = [&](int32_t left) {
    if (left < 0 || row[left].next < 0) return;
    const MergeSymbol& right = row[row[left].next];
    const RankedMerge merge = find(row[left], right);
    if (merge.id < 0) return;
    if (queue_of[merge.rank] < 0) {
      queue_of[merge.rank] = static_cast<int32_t>(queues.size());
      queues.emplace_back();
      met.push_back(merge.rank);
    }
    RankQueue& queue = queues[static_cast<size_t>(queue_of[merge.rank])];
    if (queue.empty()) {
      open.push_back(merge.rank);
      std::push_heap(open.begin(), open.end(), std::greater<>());
    }
    queue.push({left, right.end, merge.id});
  };
  for (int32_t i = 0; i < static_cast<int32_t>(row.size()); ++i) push(i);
  while (!open.empty()) {
    const uint32_t rank = open[0];
    RankQueue& queue = queues[static_cast<size_t>(queue_of[rank])];
    const RankQueue::Candidate best = queue.pop();
    if (queue.empty()) {
      std::pop_heap(open.begin(), open.end(), std::greater<>());
      open.pop_back();
    }
    const int32_t right = row[best.left].next;
    if (right < 0 || row[right].end != best.end) continue;  // stale
    on_merge(row[best.left], row[right], best.id);
    join(row, best.left, best.id);
    push(row[best.left].prev);
    push(best.left);
  }
  for (const uint32_t rank : met) queue_of[rank] = -1;
}

}  // namespace cutaway
