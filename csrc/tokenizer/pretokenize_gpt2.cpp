// GPT-2 (Radford et al. 2019, encoder.py), and with it r50k, p50k, GPT-NeoX, MPT, Phi-2:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// SmolLM, StarCoder and their kin put every number alone first (Digits) and cut what lies between as GPT-2
// does.
#include "tokenizer/scanner.h"

namespace cutaway {
namespace {

template <bool kDigitsAlone>
struct Gpt2 {
  static constexpr CharSet kOther = ~(kSpaces | kLetters | kNumbers);

  static size_t next(const Reader& r, size_t at) {
    if (const size_t n = contraction<false>(r, at)) return at + n;
    const Char here = r.at(at);
    size_t word = at;
    Char first = here;
    if (here.cp == ' ') {
      first = r.at(at + 1);
      if (first.in(~kSpaces) && !alone(first))
        word = at + 1;
      else
        first = here;
    }
    if (alone(first)) return word + first.bytes;
    for (const CharSet set : {kLetters, kNumbers}) {
      if (first.in(set)) return r.skip(word, set);
    }
    if (first.in(kOther)) return others(r, word);
    const White run = white_run(r, at);
    if (alone(r.at(run.end))) return run.end;  // the stretch before a number ends here
    return white_before(r, at, run);
  }

  static bool alone(const Char& c) { return kDigitsAlone && is_digit_alone(c); }
  static size_t others(const Reader& r, size_t at) {
    if (!kDigitsAlone) return r.skip(at, kOther);
    for (Char c = r.at(at); c.in(kOther) && !alone(c); c = r.at(at)) at += c.bytes;
    return at;
  }

  static uint64_t starts(const AsciiBlock& b) {
    const auto first = [](uint64_t of) { return of & ~(of << 1); };
    const uint64_t joined = b.blank << 1;  // the byte after a ' '
    const uint64_t apart = kDigitsAlone ? b.digit : 0;
    uint64_t starts = first(b.space) | (b.space & ~(b.space >> 1) & ~(apart >> 1));
    starts |= (first(b.letter) | first(b.symbol) | (kDigitsAlone ? 0 : first(b.digit))) & ~joined;
    starts |= apart;
    for (uint64_t left = b.apostrophe & first(b.symbol) & ~joined; left; left &= left - 1) {
      const int at = std::countr_zero(left);
      const int n = contraction_at<false>(b, at);
      if (!n && at + 2 >= b.size) starts &= AsciiBlock::below(at + 1);  // cut by the block
      if (!n) continue;
      starts &= ~(uint64_t{2} << at);
      if (at + n < b.size) starts |= uint64_t{1} << (at + n);
    }
    return decided(starts, b.space, b.size);
  }
};

}  // namespace

size_t cut_gpt2(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  return cut_with<Gpt2<false>>(text, at, ends, capacity);
}
size_t cut_smollm(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  return cut_with<Gpt2<true>>(text, at, ends, capacity);
}

}  // namespace cutaway
