// cl100k (tiktoken 0.14, openai_public.py):
//   '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|
//   ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s
// Llama 3, GLM-4 and Qwen 2 have the same without \s++$, and Qwen 2 puts every number alone:
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
//   ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
#include "tokenizer/scanner.h"

namespace cutaway {
namespace {

template <int kDigits, bool kSpaceAtEndWhole>
struct Cl100k {
  static constexpr CharSet kOther = ~(kSpaces | kLetters | kNumbers);

  static size_t next(const Reader& r, size_t at) {
    if (const size_t n = contraction<true>(r, at)) return at + n;
    const Char here = r.at(at);
    if (here.in(kLetters)) return r.skip(at, kLetters);
    if (here.in(kNumbers)) return r.skip(at, kNumbers, kDigits);
    if (here.in(~kNewlines) && r.at(at + here.bytes).in(kLetters)) return r.skip(at + here.bytes, kLetters);
    const size_t word = at + (here.cp == ' ' ? 1 : 0);
    if (r.at(word).in(kOther)) return r.skip(r.skip(word, kOther), kNewlines);
    const White run = white_run(r, at);
    if (kSpaceAtEndWhole && run.end == r.size()) return run.end;
    return run.after_newline ? run.after_newline : white_before(r, at, run);
  }

  static uint64_t starts(const AsciiBlock& b) {
    const auto first = [](uint64_t of) { return of & ~(of << 1); };
    // Newlines that belong to the symbols before them: adding its first bit carries through a whole run.
    const uint64_t after_symbol = b.newline & b.symbol << 1;
    const uint64_t attached = b.newline & ~(b.newline + after_symbol);
    const uint64_t white = b.space & ~attached, breaks = b.newline & ~attached, blanks = white & ~breaks;
    uint64_t starts = white_starts(white, breaks, blanks);
    const uint64_t single = first(b.symbol) & ~(b.blank << 1);  // symbols that begin a piece
    starts |= single | (first(b.letter) & ~((blanks | single) << 1));
    starts |= kDigits == 1 ? b.digit : every_third(b.digit);
    for (uint64_t left = b.apostrophe & single; left; left &= left - 1) {
      const int at = std::countr_zero(left);
      if (const int n = contraction_at<true>(b, at); n && at + n < b.size) starts |= uint64_t{1} << (at + n);
    }
    return decided(starts, white, b.size);
  }
};

}  // namespace

size_t cut_cl100k(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  return cut_with<Cl100k<3, true>>(text, at, ends, capacity);
}
size_t cut_llama3(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  return cut_with<Cl100k<3, false>>(text, at, ends, capacity);
}
size_t cut_qwen2(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  return cut_with<Cl100k<1, false>>(text, at, ends, capacity);
}

}  // namespace cutaway
