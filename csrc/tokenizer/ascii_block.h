// The ASCII fast path of the pre-tokenizers: 64 bytes at a time become bit masks, one bit a byte, and where
// pieces begin is found by arithmetic on whole words. What a block cannot decide (characters beyond ASCII,
// white space at its end, pieces of 64 bytes and more) is left to the scanner.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace cutaway {

struct AsciiBlock {
  const char* data;
  int size;  // bytes of the block before its end or the first byte beyond ASCII; the masks end there
  uint64_t letter, upper, digit, space, blank, newline, symbol, apostrophe, slash;  // blank: ' '; space: \s

  static constexpr uint64_t below(int n) { return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }
};

// p: 64 bytes that may be read, of which the first `size` count.
#ifdef __SSE2__
inline constexpr bool kHasBlocks = true;
inline AsciiBlock classify(const char* p, int size) {
  AsciiBlock b{p, size, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  uint64_t beyond = 0;
  for (int part = 0; part < 4; ++part) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + part * 16));
    const auto mask = [&](__m128i of) {
      return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(of))) << (part * 16);
    };
    const auto is = [&](char c) { return _mm_cmpeq_epi8(v, _mm_set1_epi8(c)); };
    const auto within = [](__m128i x, char low, char count) {  // low <= x < low + count, unsigned
      const __m128i from = _mm_sub_epi8(x, _mm_set1_epi8(low));
      return _mm_cmpeq_epi8(_mm_min_epu8(from, _mm_set1_epi8(static_cast<char>(count - 1))), from);
    };
    b.letter |= mask(within(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 26));
    b.upper |= mask(within(v, 'A', 26));
    b.digit |= mask(within(v, '0', 10));
    b.blank |= mask(is(' '));
    b.space |= mask(within(v, '\t', 5));
    b.newline |= mask(_mm_or_si128(is('\n'), is('\r')));
    b.apostrophe |= mask(is('\''));
    b.slash |= mask(is('/'));
    beyond |= mask(v);
  }
  b.space |= b.blank;
  if (beyond) b.size = std::min(size, std::countr_zero(beyond));
  const uint64_t valid = AsciiBlock::below(b.size);
  b.letter &= valid, b.upper &= valid, b.digit &= valid, b.space &= valid, b.blank &= valid;
  b.newline &= valid, b.apostrophe &= valid, b.slash &= valid;
  b.symbol = valid & ~(b.letter | b.digit | b.space);
  return b;
}
#else  // byte by byte the masks would cost more than they save
inline constexpr bool kHasBlocks = false;
AsciiBlock classify(const char* p, int size);
#endif

// The same by 64-byte vectors, which need not have 64 bytes to read: where has_wide_blocks() says so.
AsciiBlock classify_wide(const char* p, int size);
bool has_wide_blocks();
inline const bool kWideBlocks = has_wide_blocks();

// Bytes of a contraction whose apostrophe stands at `at`: 2 or 3, or 0 where there is none in the block.
template <bool kAnyCase>
int contraction_at(const AsciiBlock& b, int at) {
  if (at + 1 >= b.size) return 0;
  const char fold = kAnyCase ? 0x20 : 0;
  const char first = static_cast<char>(b.data[at + 1] | fold);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (at + 2 >= b.size) return 0;
  const char second = static_cast<char>(b.data[at + 2] | fold);
  return (first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l')
             ? 3
             : 0;
}

// Where a run of numbers is cut in pieces of three, counted from its start.
inline uint64_t every_third(uint64_t digits) {
  uint64_t starts = digits & ~(digits << 1);
  for (uint64_t next = starts; (next = next << 3 & digits & digits << 1 & digits << 2) != 0;) starts |= next;
  return starts;
}

// White space that reaches the end of the block is undecided, but for its first byte: the starts up to there.
inline uint64_t decided(uint64_t starts, uint64_t white, int size) {
  if (!(white >> (size - 1) & 1)) return starts;
  const uint64_t other = ~white & AsciiBlock::below(size);
  const int run = other ? 64 - std::countl_zero(other) : 0;
  return starts & AsciiBlock::below(run + 1);
}

// \s*[\r\n]+|\s+(?!\S)|\s+  white: all white space, breaks: its newlines, blanks: the rest. A run begins a
// piece; so does what follows its last newline, and its last character where that is no newline.
inline uint64_t white_starts(uint64_t white, uint64_t breaks, uint64_t blanks) {
  uint64_t starts = (white & ~(white << 1)) | (blanks & ~(white >> 1)) | (blanks & breaks << 1);
  // Blanks between two newlines belong to the piece that the second one ends.
  for (uint64_t ends = breaks & blanks << 1 & white << 1; ends; ends &= ends - 1) {
    const int end = std::countr_zero(ends);
    const uint64_t not_blank = ~blanks & AsciiBlock::below(end);
    const int begin = not_blank ? 64 - std::countl_zero(not_blank) : 0;
    if (begin > 0) starts &= ~((breaks << 1) & uint64_t{1} << begin);
  }
  return starts;
}

// Turns the starts of a block into ends (the first start is the place that the block begins at) and moves
// `at` to the last of them.
inline size_t write_ends(uint64_t starts, size_t& at, uint32_t* ends) {
  starts &= ~uint64_t{1};
  const uint32_t base = static_cast<uint32_t>(at);
  size_t n = 0;
  for (; starts; starts &= starts - 1) ends[n++] = base + static_cast<uint32_t>(std::countr_zero(starts));
  if (n) at = ends[n - 1];
  return n;
}

}  // namespace cutaway
