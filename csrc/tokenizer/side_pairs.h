// Which characters stand side by side in a piece. Where two characters of a text do so in none, no piece and
// no merge crosses the place between them, and what lies on either side can be encoded by itself: a cut that
// is exact for any vocabulary, and in most of them falls before every space.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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
  // The end of a part of text that begins at `begin` and that nothing crosses: the next space where words are
  // cut there, else the next two characters that no piece joins.
  uint32_t part_end(std::string_view text, uint32_t begin) const {
    const uint32_t word = word_end(text, begin);
    if (word != 0) return word;
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
  // The first space or control character behind `begin` that no piece joins to what stands before it; 0 where
  // there is none within the length of a word. A control character is a word by itself. Words are longer
  // parts than need be, which one look-up in a cache serves.
  uint32_t word_end(std::string_view text, uint32_t begin) const {
    const size_t stop = std::min<size_t>(text.size(), begin + 1 + kWord);
    for (size_t at = begin + 1; at < stop; ++at) {
      const auto first = static_cast<unsigned char>(text[begin]),
                 second = static_cast<unsigned char>(text[at]);
      if (at == begin + 1 && first < ' ' && second < 128 && !joins(first, second)) return begin + 1;
      at = find_blank(text, at, stop);
      if (at == stop) return 0;
      const auto before = static_cast<unsigned char>(text[at - 1]),
                 blank = static_cast<unsigned char>(text[at]);
      if (before < 128 ? !joins(before, blank) : !beyond_joins_blank_) return static_cast<uint32_t>(at);
    }
    return 0;
  }
  static size_t find_blank(std::string_view text, size_t at, size_t stop) {
#ifdef __SSE2__
    for (; at + 16 <= text.size() && at < stop; at += 16) {
      const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
      const int found = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(' ')), v));
      if (found)
        return std::min(stop, at + static_cast<size_t>(std::countr_zero(static_cast<unsigned>(found))));
    }
#endif
    while (at < stop && static_cast<unsigned char>(text[at]) > ' ') ++at;
    return std::min(at, stop);
  }
  static constexpr size_t kWord = 48;

  bool beyond_joins_blank_ = false;  // a piece has one of them behind a character beyond ASCII
  std::vector<uint64_t> table_;      // open addressing, a power of two; 0: free
  uint64_t ascii_[128][2] = {};      // the same for two of ASCII, a bit each
};

}  // namespace cutaway
