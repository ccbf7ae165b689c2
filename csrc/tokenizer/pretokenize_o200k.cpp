// o200k (tiktoken 0.14, openai_public.py), with U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], l =
// [\p{Ll}\p{Lm}\p{Lo}\p{M}]:
//   [^\r\n\p{L}\p{N}]?U*l+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?U+l*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//   |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
// Tekken (Mistral) has it without the contractions, and puts every number alone.
#include "tokenizer/scanner.h"

namespace cutaway {
namespace {

constexpr CharSet kBoth = set_of(Category::Lm) | set_of(Category::Lo) | kMarks;
constexpr CharSet kUpper = set_of(Category::Lu) | set_of(Category::Lt) | kBoth;
constexpr CharSet kLower = set_of(Category::Ll) | kBoth;

template <bool kContractions, int kDigits>
struct O200k {
  static constexpr CharSet kOther = ~(kSpaces | kLetters | kNumbers);

  // U*l+ as the greedy regular expression has it, or 0.
  static size_t lower_word(const Reader& r, size_t at) {
    size_t stop = at, after_both = 0;  // after_both: behind the last character of U* that may also be an l
    for (Char c = r.at(at); c.in(kUpper); c = r.at(stop)) {
      stop += c.bytes;
      if (c.in(kBoth)) after_both = stop;
    }
    const size_t end = r.skip(stop, kLower);
    return end > stop ? end : after_both;
  }
  // U+l* where U*l+ did not match: what follows U+ is no l.
  static size_t upper_word(const Reader& r, size_t at) {
    const size_t end = r.skip(at, kUpper);
    return end > at ? end : 0;
  }
  static size_t word(const Reader& r, size_t at, const Char& here) {
    const size_t inside = here.in(~(kNewlines | kLetters | kNumbers)) ? at + here.bytes : 0;
    size_t end = inside ? lower_word(r, inside) : 0;
    if (!end) end = lower_word(r, at);
    if (!end && inside) end = upper_word(r, inside);
    if (!end) end = upper_word(r, at);
    return end && kContractions ? end + contraction<true>(r, end) : end;
  }

  static size_t next(const Reader& r, size_t at) {
    const Char here = r.at(at);
    if (const size_t end = word(r, at, here)) return end;
    if (here.in(kNumbers)) return r.skip(at, kNumbers, kDigits);
    const size_t symbols = at + (here.cp == ' ' ? 1 : 0);
    if (r.at(symbols).in(kOther)) {
      size_t end = r.skip(symbols, kOther);
      while (r.is(end, '\r') || r.is(end, '\n') || r.is(end, '/')) ++end;
      return end;
    }
    const White run = white_run(r, at);
    return run.after_newline ? run.after_newline : white_before(r, at, run);
  }

  static uint64_t starts(const AsciiBlock& b) {
    const auto first = [](uint64_t of) { return of & ~(of << 1); };
    // [\r\n/]* behind symbols: it begins at a newline, and adding that bit carries through the whole run.
    const uint64_t tail = b.newline | b.slash, after_symbol = b.newline & b.symbol << 1;
    const uint64_t attached = tail & (~(tail + after_symbol) | after_symbol);
    const uint64_t symbol = b.symbol & ~attached;
    const uint64_t white = b.space & ~attached, breaks = b.newline & ~attached, blanks = white & ~breaks;
    uint64_t starts = white_starts(white, breaks, blanks);
    const uint64_t single = first(symbol) & ~(b.blank << 1);
    starts |= single | (first(b.letter) & ~((blanks | single) << 1));
    starts |= b.upper & (b.letter & ~b.upper) << 1;  // aB
    starts |= kDigits == 1 ? b.digit : every_third(b.digit);
    int over = 0;  // where the last contraction ended: the next one cannot begin there
    for (uint64_t left = kContractions ? b.apostrophe & single & b.letter << 1 : 0; left; left &= left - 1) {
      const int at = std::countr_zero(left);
      const int n = at == over ? 0 : contraction_at<true>(b, at);
      if (at != over && !n && at + 3 > b.size) return starts & AsciiBlock::below(at);  // cut by the block
      if (!n) continue;
      starts &= ~(AsciiBlock::below(n) << at);
      over = at + n;
      if (over < b.size) starts |= uint64_t{1} << over;
    }
    return decided(starts, white, b.size);
  }
};

}  // namespace

size_t cut_o200k(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  return cut_with<O200k<true, 3>>(text, at, ends, capacity);
}
size_t cut_tekken(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  return cut_with<O200k<false, 1>>(text, at, ends, capacity);
}

}  // namespace cutaway
