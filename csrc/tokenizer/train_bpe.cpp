#include "tokenizer/train_bpe.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <queue>

#include "core/error.h"
#include "tokenizer/byte_alphabet.h"

namespace cutaway {
namespace {

using Pair = uint64_t;  // left id << 32 | right id: ordered as the pair is
Pair pair_of(int32_t left, int32_t right) {
  return static_cast<Pair>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// Open addressing from pairs to T{}; no pair is ever taken out.
template <class T>
class PairMap {
 public:
  PairMap() : slots_(1024) {}
  T& operator[](Pair pair) {
    if (2 * ++size_ > slots_.size()) grow();
    Slot& slot = find(slots_, pair);
    if (slot.used)
      --size_;
    else
      slot = {pair, T{}, true};
    return slot.value;
  }

 private:
  struct Slot {
    Pair pair = 0;
    T value{};
    bool used = false;
  };
  static Slot& find(std::vector<Slot>& slots, Pair pair) {
    const int shift = 64 - std::countr_zero(slots.size());
    for (size_t i = (pair * 0x9E3779B97F4A7C15u) >> shift;; i = (i + 1) & (slots.size() - 1))
      if (!slots[i].used || slots[i].pair == pair) return slots[i];
  }
  void grow() {
    std::vector<Slot> larger(2 * slots_.size());
    for (Slot& slot : slots_)
      if (slot.used) find(larger, slot.pair) = std::move(slot);
    slots_ = std::move(larger);
  }
  std::vector<Slot> slots_;
  size_t size_ = 0;
};

struct Word {
  int32_t* ids;
  int32_t size;
  int64_t count;
};

struct Change {
  Pair pair;
  int by;
};

// Joins every such pair of a word, from the left, and says which pairs of neighbours went and came. A pair
// that overlaps the last one stays counted, as in the original: "aaa" has (a, a) twice and loses it once.
void merge(Word& word, int32_t left, int32_t right, int32_t id, std::vector<Change>& changes) {
  int32_t to = 0;
  for (int32_t from = 0; from < word.size; ++from) {
    if (from + 1 == word.size || word.ids[from] != left || word.ids[from + 1] != right) {
      word.ids[to++] = word.ids[from];
      continue;
    }
    if (to > 0) {
      changes.push_back({pair_of(word.ids[to - 1], left), -1});
      changes.push_back({pair_of(word.ids[to - 1], id), 1});
    }
    word.ids[to++] = id;
    ++from;
    if (from + 1 < word.size) {
      changes.push_back({pair_of(right, word.ids[from + 1]), -1});
      changes.push_back({pair_of(id, word.ids[from + 1]), 1});
    }
  }
  word.size = to;
}

// The place of each byte in the order of GPT-2's printable characters, which ids follow.
std::array<int32_t, 256> byte_order() {
  std::array<int32_t, 256> order{};
  int32_t next = 0;
  for (char32_t cp = 0; next < 256; ++cp)
    if (const int byte = byte_of_letter(cp); byte >= 0) order[static_cast<size_t>(byte)] = next++;
  return order;
}

// A pair that may be merged, with the words it came up in when its count was taken.
struct Candidate {
  int64_t count;
  Pair pair;
  std::vector<int32_t> words;
  bool operator<(const Candidate& o) const {  // the top is the most frequent, of equals the smallest pair
    return count != o.count ? count < o.count : pair > o.pair;
  }
};

struct Count {
  int64_t n = 0;
  int32_t step = 0,
          came = 0;  // the last merge that brought it up, and its place among those that came up then
};

constexpr int64_t kBetween = 1 << 18;  // words changed between two calls of `between`

}  // namespace

void WordCounts::add(std::string_view text) {
  pieces_.clear();
  pretokenize_(text, pieces_);
  for (const Pretoken& p : pieces_) {
    const std::string_view word = text.substr(p.begin, p.end - p.begin);
    const auto it = words_.find(word);
    if (it == words_.end())
      words_.emplace(word, 1);
    else
      ++it->second;
  }
}

TrainedBpe train_bpe(const WordCounts& given, int64_t vocab_size, const std::vector<std::string>& special,
                     int64_t min_frequency, const std::function<void(int64_t)>& between) {
  const int64_t first = static_cast<int64_t>(special.size()) + 256;
  if (vocab_size < first || vocab_size > INT32_MAX)
    throw ArgumentError(text("vocab_size is {}, expected {} (the 256 bytes and {} special tokens) to {}",
                             vocab_size, first, special.size(), INT32_MAX));
  TrainedBpe out;
  out.tokens = special;
  out.tokens.resize(static_cast<size_t>(first));
  const std::array<int32_t, 256> order = byte_order();
  const auto base = static_cast<int32_t>(special.size());
  for (int b = 0; b < 256; ++b) out.tokens[base + order[b]] = std::string(1, static_cast<char>(b));
  std::unordered_map<std::string, int32_t> id_of;
  for (size_t i = 0; i < out.tokens.size(); ++i) id_of.emplace(out.tokens[i], static_cast<int32_t>(i));

  size_t total = 0;
  for (const auto& [word, count] : given.words()) total += word.size();
  std::vector<int32_t> ids;
  ids.reserve(total);
  std::vector<Word> words;
  words.reserve(given.words().size());
  for (const auto& [word, count] : given.words()) {
    words.push_back({ids.data() + ids.size(), static_cast<int32_t>(word.size()), count});
    for (const char c : word) ids.push_back(base + order[static_cast<unsigned char>(c)]);
  }

  PairMap<Count> counts;
  std::priority_queue<Candidate> queue;
  std::vector<Candidate> came;  // pairs that came up since the last merge, with the words they came up in
  int32_t step = 1;
  const auto change = [&](Pair pair, int64_t by, int32_t word) {
    Count& count = counts[pair];
    count.n += by;
    if (by < 0) return;
    if (count.step != step) {
      count.step = step, count.came = static_cast<int32_t>(came.size());
      came.push_back({0, pair, {}});
    }
    std::vector<int32_t>& list = came[count.came].words;
    if (list.empty() || list.back() != word) list.push_back(word);
  };
  const auto push_all = [&] {
    for (Candidate& next : came) {
      next.count = counts[next.pair].n;
      if (next.count > 0) queue.push(std::move(next));
    }
    came.clear();
    ++step;
  };
  for (int32_t w = 0; w < static_cast<int32_t>(words.size()); ++w)
    for (int32_t i = 0; i + 1 < words[w].size; ++i)
      change(pair_of(words[w].ids[i], words[w].ids[i + 1]), words[w].count, w);
  push_all();

  std::vector<Change> changes;
  int64_t changed = 0;
  while (static_cast<int64_t>(out.tokens.size()) < vocab_size && !queue.empty()) {
    Candidate top = std::move(const_cast<Candidate&>(queue.top()));  // popped at once; count and pair stay
    queue.pop();
    if (const int64_t now = counts[top.pair].n; now != top.count) {
      top.count = now;
      queue.push(std::move(top));
      continue;
    }
    if (top.count < 1 || top.count < min_frequency) break;
    const auto left = static_cast<int32_t>(top.pair >> 32), right = static_cast<int32_t>(top.pair);
    const auto [it, is_new] =
        id_of.emplace(out.tokens[left] + out.tokens[right], static_cast<int32_t>(out.tokens.size()));
    const int32_t id = it->second;
    if (is_new) out.tokens.push_back(it->first);
    out.merges.push_back({left, right});
    for (const int32_t w : top.words) {
      changes.clear();
      merge(words[w], left, right, id, changes);
      for (const Change& c : changes) change(c.pair, c.by * words[w].count, w);
    }
    push_all();
    changed += static_cast<int64_t>(top.words.size()) + 1;
    if (changed > kBetween) between(static_cast<int64_t>(out.tokens.size())), changed = 0;
  }
  return out;
}

}  // namespace cutaway
