// DeepSeek's tokenizers cut in steps: each expression cuts every piece that the one before it left, and what
// lies between its matches is a piece too. Here the steps are one scan; where a step ends a stretch, that is
// the end of the text to the steps after it.
//   deepseek-v3:    \p{N}{1,3}  [一-龥぀-ゟ゠-ヿ]+
//                   [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
//                   | ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//   deepseek-coder: [\r\n]  \s?\p{L}+  \s?\p{P}+  [一-龥ࠀ-一가-퟿]+  Digits
#include "tokenizer/scanner.h"

namespace cutaway {
namespace {

bool is_ascii_letter(const Char& c) { return c.cp < 0x80 && static_cast<unsigned>((c.cp | 0x20) - 'a') < 26; }
bool is_ascii_punctuation(const Char& c) { return c.cp < 0x80 && c.in(kPunctuation | kSymbols); }

bool is_kana_or_han(const Char& c) {  // [一-龥぀-ゟ゠-ヿ]
  return (c.cp >= 0x4E00 && c.cp <= 0x9FA5) || (c.cp >= 0x3040 && c.cp <= 0x30FF);
}

// A text that ends where another stretch begins: numbers lie apart, and so do runs of kana and Han.
class Stretch {
 public:
  Stretch(const Reader& r, bool kana) : r_(r), kana_(kana) {}
  Char at(size_t i) const {
    const Char c = r_.at(i);
    return c.in(kNumbers) || is_kana_or_han(c) != kana_ ? Char{0, 0, 0} : c;
  }
  size_t skip(size_t i, CharSet set) const {
    for (Char c = at(i); c.in(set); c = at(i)) i += c.bytes;
    return i;
  }

 private:
  const Reader& r_;
  bool kana_;
};

struct DeepseekV3 {
  static constexpr CharSet kWord = kLetters | kMarks, kSigns = kPunctuation | kSymbols;

  static size_t match(const Stretch& r, size_t at) {  // 0: none begins here
    const Char here = r.at(at);
    if (is_ascii_punctuation(here) && is_ascii_letter(r.at(at + 1))) {
      size_t end = at + 2;
      while (is_ascii_letter(r.at(end))) ++end;
      return end;
    }
    if (here.in(~(kNewlines | kLetters | kSigns)) && r.at(at + here.bytes).in(kWord)) {
      return r.skip(at + here.bytes, kWord);
    }
    if (here.in(kWord)) return r.skip(at, kWord);
    const size_t signs = at + (here.cp == ' ' ? 1 : 0);
    if (r.at(signs).in(kSigns)) return r.skip(r.skip(signs, kSigns), kNewlines);
    if (!here.in(kSpaces)) return 0;
    const White run = white_run(r, at);
    if (run.after_newline) return run.after_newline;
    return !r.at(run.end).bytes || run.last == at ? run.end : run.last;
  }
  static size_t next(const Reader& r, size_t at) {
    const Char here = r.at(at);
    if (here.in(kNumbers)) return r.skip(at, kNumbers, 3);
    const Stretch stretch(r, is_kana_or_han(here));
    if (const size_t end = match(stretch, at)) return end;
    size_t end = at + here.bytes;
    for (Char c = stretch.at(end); c.bytes && !match(stretch, end); c = stretch.at(end)) end += c.bytes;
    return end;
  }
};

struct DeepseekCoder {
  static constexpr CharSet kBlanks = kSpaces & ~kNewlines;

  static bool apart(const Char& c) {  // [一-龥ࠀ-一가-퟿]
    return (c.cp >= 0x0800 && c.cp <= 0x9FA5) || (c.cp >= 0xAC00 && c.cp <= 0xD7FF);
  }
  // The characters that the piece consists of, or none where it is what lies between matches.
  static CharSet set_of_match(const Reader& r, size_t at, const Char& here) {
    const Char first = here.in(kBlanks) ? r.at(at + here.bytes) : here;
    return first.in(kLetters) ? kLetters : first.in(kPunctuation) ? kPunctuation : 0;
  }
  static size_t next(const Reader& r, size_t at) {
    const Char here = r.at(at);
    size_t end = at + here.bytes;
    if (here.in(kNewlines) || is_digit_alone(here)) return end;
    const CharSet set = set_of_match(r, at, here);
    for (Char c = r.at(end); c.bytes; c = r.at(end)) {
      if (c.in(kNewlines) || is_digit_alone(c) || apart(c) != apart(here)) break;
      if (set ? !c.in(set) : set_of_match(r, end, c) != 0) break;
      end += c.bytes;
    }
    return end;
  }
};

}  // namespace

size_t cut_deepseek_v3(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  return scan_with<DeepseekV3>(text, at, ends, capacity);
}
size_t cut_deepseek_coder(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  return scan_with<DeepseekCoder>(text, at, ends, capacity);
}

}  // namespace cutaway
