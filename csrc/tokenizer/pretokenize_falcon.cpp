// Falcon (its tokenizer.json): runs of punctuation ([\p{P}$+<=>^`|~], as Unicode 8 has it) lie apart, what
// lies between is cut as GPT-2 does, then digits [0-9] are taken out of the pieces, three at a time. The file
// takes out "digits" among the letters that stand for bytes, so ², ³, ¹, ¼, ½ and ¾ too, whichever character
// their byte is of. That they join nothing else the merges see to, but for the byte F2, which has no token:
// what stands around it is cut here.
#include <cstring>

#include "tokenizer/scanner.h"

namespace cutaway {
namespace {

bool is_punctuation(const Char& c) {
  return c.cp < 0x80 ? c.in(kPunctuation | kSymbols) : cutaway::is_punctuation(c.cp);
}
bool is_digit(const Char& c) { return c.cp - '0' < 10u; }

struct Falcon {
  static constexpr CharSet kOther = ~(kSpaces | kLetters | kNumbers);

  static bool stands_for_number(unsigned char byte) {
    return byte == 0xB2 || byte == 0xB3 || byte == 0xB9 || (byte >= 0xBC && byte <= 0xBE);
  }
  static size_t next(const Reader& r, size_t at) {
    const size_t end = piece(r, at);
    if (!std::memchr(r.data() + at, 0xF2, end - at)) return end;
    const bool number = stands_for_number(r.byte(at));
    while (++at < end && stands_for_number(r.byte(at)) == number) continue;
    return at;
  }
  static size_t piece(const Reader& r, size_t at) {
    Char here = r.at(at);
    if (is_punctuation(here)) {
      while (here.bytes && is_punctuation(here)) here = r.at(at += here.bytes);
      return at;
    }
    if (is_digit(here)) return digits(r, at);
    size_t word = at;
    if (here.cp == ' ') {
      const Char first = r.at(at + 1);
      if (is_digit(first)) return at + 1;  // GPT-2's piece is " 12", of which the digits are taken out
      if (first.in(kLetters | kNumbers | kOther) && !is_punctuation(first)) word = at + 1, here = first;
    }
    if (here.in(kLetters)) return r.skip(word, kLetters);
    if (here.in(kNumbers)) {
      for (; here.in(kNumbers) && !is_digit(here); here = r.at(word)) word += here.bytes;
      return word;
    }
    if (here.in(kOther)) {
      for (; here.in(kOther) && !is_punctuation(here); here = r.at(word)) word += here.bytes;
      return word;
    }
    const White run = white_run(r, at);
    return is_punctuation(r.at(run.end)) ? run.end : white_before(r, at, run);
  }
  static size_t digits(const Reader& r, size_t at) {
    const auto three = [&](size_t i) {
      return is_digit(r.at(i)) && is_digit(r.at(i + 1)) && is_digit(r.at(i + 2));
    };
    if (three(at)) return at + 3;
    while (is_digit(r.at(at)) && !three(at)) ++at;
    return at;
  }
};

}  // namespace

size_t cut_falcon(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  return scan_with<Falcon>(text, at, ends, capacity);
}

}  // namespace cutaway
