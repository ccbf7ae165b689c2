// Characters for pre-tokenizers: the class of every code point in one byte, and sets of classes in one word.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/unicode.h"

namespace cutaway {

// A general category, or one of two classes of control characters that are white space.
using CharClass = uint8_t;
inline constexpr CharClass kBlankControl = kCategories, kNewline = kCategories + 1;  // \t \v \f U+0085; \r \n

using CharSet = uint32_t;  // bit c: class c
constexpr CharSet set_of(Category c) { return CharSet{1} << static_cast<int>(c); }
constexpr CharSet set_of(Category first, Category last) {
  CharSet set = 0;
  for (int c = static_cast<int>(first); c <= static_cast<int>(last); ++c) set |= CharSet{1} << c;
  return set;
}
inline constexpr CharSet kLetters = set_of(Category::Ll, Category::Lu);      // \p{L}
inline constexpr CharSet kMarks = set_of(Category::Mc, Category::Mn);        // \p{M}
inline constexpr CharSet kNumbers = set_of(Category::Nd, Category::No);      // \p{N}
inline constexpr CharSet kPunctuation = set_of(Category::Pc, Category::Ps);  // \p{P}
inline constexpr CharSet kSymbols = set_of(Category::Sc, Category::So);      // \p{S}
inline constexpr CharSet kNewlines = CharSet{1} << kNewline;                 // [\r\n]
inline constexpr CharSet kSpaces =                                           // \s, the property White_Space
    kNewlines | CharSet{1} << kBlankControl | set_of(Category::Zl, Category::Zs);

class CharTable {
 public:
  static const CharTable& get();
  const CharSet* ascii() const { return ascii_.data(); }                             // [128]
  CharClass of(char32_t cp) const { return blocks_[block_of_[cp >> 8]][cp & 255]; }  // cp <= U+10FFFF

 private:
  CharTable();
  std::array<uint16_t, 0x1100> block_of_;
  std::vector<std::array<CharClass, 256>> blocks_;
  std::array<CharSet, 128> ascii_;
};

struct Char {
  char32_t cp;     // U+FFFD where the bytes are not UTF-8
  uint32_t bytes;  // 0 at the end of the text
  CharSet set;     // one bit: the class; none at the end
  bool in(CharSet other) const { return (set & other) != 0; }
};

// Reads a text that need not be UTF-8: a byte that is part of no character is a symbol of its own (class So).
class Reader {
 public:
  explicit Reader(std::string_view text)
      : data_(text.data()), size_(text.size()), table_(CharTable::get()), ascii_(table_.ascii()) {}
  size_t size() const { return size_; }
  const char* data() const { return data_; }
  unsigned char byte(size_t at) const { return static_cast<unsigned char>(data_[at]); }
  bool is(size_t at, char c) const { return at < size_ && data_[at] == c; }

  Char at(size_t i) const {
    if (i >= size_) return {0, 0, 0};
    const uint32_t lead = byte(i);
    return lead < 0x80 ? Char{lead, 1, ascii_[lead]} : beyond_ascii(i, lead);
  }
  // The end of the run of characters of a set that begins at `i`.
  size_t skip(size_t i, CharSet set) const {
    for (;;) {
      while (i < size_ && byte(i) < 0x80 && (ascii_[byte(i)] & set)) ++i;
      if (i >= size_ || byte(i) < 0x80) return i;
      const Char c = beyond_ascii(i, byte(i));
      if (!c.in(set)) return i;
      i += c.bytes;
    }
  }
  size_t skip(size_t i, CharSet set, int most) const {
    for (Char c = at(i); most > 0 && c.in(set); c = at(i), --most) i += c.bytes;
    return i;
  }

 private:
  Char beyond_ascii(size_t i, uint32_t lead) const {
    const auto tail = [&](size_t k) { return byte(i + k) & 0x3Fu; };
    const auto is_tail = [&](size_t k) { return (byte(i + k) & 0xC0) == 0x80; };
    if (lead >= 0xC2 && lead < 0xE0 && i + 1 < size_ && is_tail(1)) {
      return whole((lead & 0x1F) << 6 | tail(1), 2);
    }
    if (lead >= 0xE0 && lead < 0xF0 && i + 2 < size_ && is_tail(1) && is_tail(2)) {
      const char32_t cp = (lead & 0x0F) << 12 | tail(1) << 6 | tail(2);
      if (cp >= 0x800 && (cp < 0xD800 || cp > 0xDFFF)) return whole(cp, 3);
    } else if (lead >= 0xF0 && lead < 0xF5 && i + 3 < size_ && is_tail(1) && is_tail(2) && is_tail(3)) {
      const char32_t cp = (lead & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
      if (cp >= 0x10000 && cp <= 0x10FFFF) return whole(cp, 4);
    }
    return {0xFFFD, 1, set_of(Category::So)};
  }
  Char whole(char32_t cp, uint32_t bytes) const { return {cp, bytes, CharSet{1} << table_.of(cp)}; }
  const char* data_;
  size_t size_;
  const CharTable& table_;
  const CharSet* ascii_;  // [128]
};

}  // namespace cutaway
