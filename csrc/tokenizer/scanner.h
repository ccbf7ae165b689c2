// What the pre-tokenizers share: the loop over a text, and rules that most patterns have.
#pragma once
#include <algorithm>
#include <cstring>

#include "tokenizer/ascii_block.h"
#include "tokenizer/characters.h"
#include "tokenizer/normalize.h"
#include "tokenizer/pretokenize.h"

namespace cutaway {

// The pieces that one block of ASCII decides; 0 where it decides none.
template <class Family>
size_t cut_block(std::string_view text, size_t& at, uint32_t* ends) {
  if constexpr (kHasBlocks) {
    const size_t left = text.size() - at;
    // A block is worth its cost where two characters of ASCII come first.
    if (left < 2 || ((text[at] | text[at + 1]) & 0x80)) return 0;
    const char* p = text.data() + at;
    if (kWideBlocks) {
      const AsciiBlock block = classify_wide(p, static_cast<int>(std::min<size_t>(left, 64)));
      return write_ends(Family::starts(block), at, ends);
    }
    char tail[64];
    if (left < 64) {
      std::memset(tail, 0, sizeof tail);
      std::memcpy(tail, p, left);
      p = tail;
    }
    const AsciiBlock block = classify(p, static_cast<int>(std::min<size_t>(left, 64)));
    return write_ends(Family::starts(block), at, ends);
  }
  return 0;
}

// Family::next(reader, at): the end of the piece that begins at `at`: the definition.
// Family::starts(block): where pieces begin in a block of ASCII whose first byte begins one.
template <class Family>
size_t cut_with(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  const Reader reader(text);
  size_t n = 0;
  while (at < text.size() && n + 65 <= capacity) {
    if (const size_t found = cut_block<Family>(text, at, ends + n)) {
      n += found;
      continue;
    }
    at = Family::next(reader, at);
    ends[n++] = static_cast<uint32_t>(at);
  }
  return n;
}

// The same for a family without a fast path.
template <class Family>
size_t scan_with(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  const Reader reader(text);
  size_t n = 0;
  for (; at < text.size() && n < capacity; ends[n++] = static_cast<uint32_t>(at))
    at = Family::next(reader, at);
  return n;
}

// 's 't 're 've 'm 'll 'd at `at`: their bytes, or 0. In any case, U+017F is an s too (simple case folding).
template <bool kAnyCase>
size_t contraction(const Reader& r, size_t at) {
  if (!r.is(at, '\'') || at + 1 >= r.size()) return 0;
  const unsigned char fold = kAnyCase ? 0x20 : 0;
  const unsigned char first = r.byte(at + 1) | fold;
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (at + 2 >= r.size()) return 0;
  if (kAnyCase && r.byte(at + 1) == 0xC5 && r.byte(at + 2) == 0xBF) return 3;
  const unsigned char second = r.byte(at + 2) | fold;
  return ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l') ? 3 : 0;
}

// What Digits of the Hugging Face library takes out: \p{N}, and the numbers that came with Unicode 17.
inline bool is_digit_alone(const Char& c) {
  return c.in(kNumbers) || (c.in(set_of(Category::Cn)) && is_numeric(c.cp));
}

// A run of white space: where it ends, where its last character begins, and where its last [\r\n] ends.
struct White {
  size_t end, last, after_newline;  // after_newline: 0 without one
};
template <class Text>
White white_run(const Text& r, size_t at) {
  White run{at, at, 0};
  for (Char c = r.at(at); c.in(kSpaces); c = r.at(run.end)) {
    run.last = run.end;
    run.end += c.bytes;
    if (c.in(kNewlines)) run.after_newline = run.end;
  }
  return run;
}

// \s+(?!\S)|\s+  a run gives its last character to what follows, unless it is the whole run or ends the text.
inline size_t white_before(const Reader& r, size_t at, const White& run) {
  return run.end == r.size() || run.last == at ? run.end : run.last;
}

}  // namespace cutaway
