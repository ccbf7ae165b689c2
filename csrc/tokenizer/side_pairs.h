// Which characters stand side by side in a piece. Where two characters of a text do so in none, no piece and
// no merge crosses the place between them, and what lies on either side can be encoded by itself: a cut that
// is exact for any vocabulary, and in most of them falls before every space.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/unicode.h"

namespace cutaway {

class SidePairs {
 public:
  SidePairs() : table_(1) {}
  explicit SidePairs(const std::vector<std::string_view>& pieces);

  bool joins(char32_t left, char32_t right) const {
    if (left < 128 && right < 128) return ascii_[left][right >> 6] >> (right & 63) & 1;
    const uint64_t pair = key(left, right), mask = table_.size() - 1;
    for (uint64_t at = hash(pair) & mask; table_[at] != 0; at = (at + 1) & mask) {
      if (table_[at] == pair) return true;
    }
    return false;
  }
  // The end of the part of text that begins at `begin` and that nothing crosses.
  uint32_t part_end(std::string_view text, uint32_t begin) const {
    const uint32_t size = static_cast<uint32_t>(text.size());
    const auto first = static_cast<unsigned char>(text[begin]);
    Utf8Step step = first < 128 ? Utf8Step{first, 1, true, false} : utf8_step(text, begin);
    char32_t before = step.cp;
    uint32_t at = begin + step.bytes;
    while (at < size) {
      const auto byte = static_cast<unsigned char>(text[at]);
      step = byte < 128 ? Utf8Step{byte, 1, true, false} : utf8_step(text, at);
      if (!joins(before, step.cp)) break;
      before = step.cp;
      at += step.bytes;
    }
    return at;
  }

 private:
  static uint64_t key(char32_t left, char32_t right) {  // never 0
    return (static_cast<uint64_t>(left) << 21 | right) + 1;
  }
  static uint64_t hash(uint64_t pair) {
    pair *= 0x9E3779B97F4A7C15ULL;
    return pair ^ pair >> 32;
  }
  std::vector<uint64_t> table_;  // open addressing, a power of two; 0: free
  uint64_t ascii_[128][2] = {};  // the same for two of ASCII, a bit each
};

}  // namespace cutaway
