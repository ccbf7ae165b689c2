// Learning the merges of byte-level BPE from text (Gage 1994; Sennrich et al. 2016): the most frequent pair
// of neighbours becomes a token, again and again. The order of equals, and everything else that decides the
// merges, is that of Hugging Face's BpeTrainer, so that the same text gives the same vocabulary.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/pretokenize.h"

namespace cutaway {

// How often each pre-token occurs.
class WordCounts {
 public:
  explicit WordCounts(Pretokenizer pretokenize) : pretokenize_(pretokenize) {}
  void add(std::string_view text);

  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  using Map = std::unordered_map<std::string, int64_t, Hash, std::equal_to<>>;
  const Map& words() const { return words_; }

 private:
  Pretokenizer pretokenize_;
  std::vector<Pretoken> pieces_;
  Map words_;
};

struct TrainedBpe {
  std::vector<std::string> tokens;  // bytes of each id: special tokens, the 256 bytes, what was merged
  std::vector<std::array<int32_t, 2>> merges;  // (left id, right id), the most frequent first
};

// special: the first ids. min_frequency: a pair that occurs less often is not merged. Ends early where no
// pair is left. `between` hears now and then how many ids there are, and may throw. ArgumentError where
// vocab_size has no room for the special tokens and the bytes.
TrainedBpe train_bpe(const WordCounts& words, int64_t vocab_size, const std::vector<std::string>& special,
                     int64_t min_frequency, const std::function<void(int64_t)>& between);

}  // namespace cutaway
