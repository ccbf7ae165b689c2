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

// Candidates of one rank, leftmost first. They come in that order nearly always; when one does not, the rest
// becomes a heap.
class RankQueue {
 public:
  struct Candidate {
    int32_t left;
    uint32_t end;  // where the pair ended when it was found: if it ends elsewhere now, a part was merged away
    int32_t id;
    bool operator<(const Candidate& o) const { return left > o.left; }  // heap top: leftmost
  };
  bool empty() const { return head_ == items_.size(); }
  void push(const Candidate& candidate) {
    if (!is_heap_ && !empty() && candidate.left < items_.back().left) {
      items_.erase(items_.begin(), items_.begin() + static_cast<ptrdiff_t>(head_));
      head_ = 0;
      std::make_heap(items_.begin(), items_.end());
      is_heap_ = true;
    }
    items_.push_back(candidate);
    if (is_heap_) std::push_heap(items_.begin(), items_.end());
  }
  Candidate pop() {
    Candidate out;
    if (is_heap_) {
      std::pop_heap(items_.begin(), items_.end());
      out = items_.back();
      items_.pop_back();
    } else {
      out = items_[head_++];
    }
    if (empty()) items_.clear(), head_ = 0, is_heap_ = false;
    return out;
  }

 private:
  std::vector<Candidate> items_;
  size_t head_ = 0;
  bool is_heap_ = false;
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
