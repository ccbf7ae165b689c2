// DeepSeek LLM cuts in steps, as deepseek-coder does (pretokenize_deepseek.cpp), with its own sets in place
// of categories:
//   [\r\n]  \s?[A-Za-zµÀ-Ö...]+ (letters that have a case)  \s?[!-/:-~！-／：-～‘-‟　-。]+  \s+$
//   [一-龥ࠀ-一가-퟿]+  Digits
#include <algorithm>
#include <iterator>

#include "tokenizer/scanner.h"

namespace cutaway {
namespace {

struct Range {
  char32_t first, last;
};
constexpr Range kCased[] = {
    {0x0041, 0x005A},   {0x0061, 0x007A},   {0x00B5, 0x00B5},   {0x00C0, 0x00D6},   {0x00D8, 0x00F6},
    {0x00F8, 0x01BA},   {0x01BC, 0x01BF},   {0x01C4, 0x0293},   {0x0295, 0x02AF},   {0x0370, 0x0373},
    {0x0376, 0x0376},   {0x0377, 0x0377},   {0x037B, 0x037D},   {0x037F, 0x037F},   {0x0386, 0x0386},
    {0x0388, 0x038A},   {0x038C, 0x038C},   {0x038E, 0x03A1},   {0x03A3, 0x03F5},   {0x03F7, 0x0481},
    {0x048A, 0x052F},   {0x0531, 0x0556},   {0x10A0, 0x10C5},   {0x13A0, 0x13F5},   {0x13F8, 0x13FD},
    {0x1C90, 0x1CBA},   {0x1CBD, 0x1CBF},   {0x1D00, 0x1D2B},   {0x1D6B, 0x1D77},   {0x1D79, 0x1D9A},
    {0x1E00, 0x1F15},   {0x1F18, 0x1F1D},   {0x1F20, 0x1F45},   {0x1F48, 0x1F4D},   {0x1F50, 0x1F57},
    {0x1F59, 0x1F59},   {0x1F5B, 0x1F5B},   {0x1F5D, 0x1F5D},   {0x1F5F, 0x1F7D},   {0x1F80, 0x1FB4},
    {0x1FB6, 0x1FBC},   {0x1FBE, 0x1FBE},   {0x1FC2, 0x1FC4},   {0x1FC6, 0x1FCC},   {0x1FD0, 0x1FD3},
    {0x1FD6, 0x1FDB},   {0x1FE0, 0x1FEC},   {0x1FF2, 0x1FF4},   {0x1FF6, 0x1FFC},   {0x2102, 0x2102},
    {0x2107, 0x2107},   {0x210A, 0x2113},   {0x2115, 0x2115},   {0x2119, 0x211D},   {0x2124, 0x2124},
    {0x2126, 0x2126},   {0x2128, 0x2128},   {0x212A, 0x212D},   {0x212F, 0x2134},   {0x2139, 0x2139},
    {0x213C, 0x213F},   {0x2145, 0x2149},   {0x214E, 0x214E},   {0x2183, 0x2183},   {0x2184, 0x2184},
    {0x2C00, 0x2C7B},   {0x2C7E, 0x2CE4},   {0x2CEB, 0x2CEE},   {0x2CF2, 0x2CF2},   {0x2CF3, 0x2CF3},
    {0xA640, 0xA66D},   {0xA680, 0xA69B},   {0xA722, 0xA76F},   {0xA771, 0xA787},   {0xA78B, 0xA78E},
    {0xAB70, 0xABBF},   {0xFB00, 0xFB06},   {0xFB13, 0xFB17},   {0xFF21, 0xFF3A},   {0xFF41, 0xFF5A},
    {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB}, {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2},
    {0x118A0, 0x118DF}, {0x1E900, 0x1E943},
};

bool is_cased(const Char& c) {
  const auto* after = std::upper_bound(std::begin(kCased), std::end(kCased), c.cp,
                                       [](char32_t cp, const Range& range) { return cp < range.first; });
  return c.bytes && after != std::begin(kCased) && c.cp <= after[-1].last;
}
bool is_mark(const Char& c) {  // [!-/:-~！-／：-～‘-‟　-。]
  const auto within = [&](char32_t first, char32_t last) { return c.cp >= first && c.cp <= last; };
  return c.bytes && (within('!', '/') || within(':', '~') || within(0xFF01, 0xFF0F) ||
                     within(0xFF1A, 0xFF5E) || within(0x2018, 0x201F) || within(0x3000, 0x3002));
}
bool is_apart(const Char& c) {  // [一-龥ࠀ-一가-퟿]
  return (c.cp >= 0x0800 && c.cp <= 0x9FA5) || (c.cp >= 0xAC00 && c.cp <= 0xD7FF);
}
bool is_blank(const Char& c) { return c.in(kSpaces & ~kNewlines); }

// The piece that the first three steps leave at `begin`: is a character behind its first one still in it?
class Piece {
 public:
  Piece(const Reader& r, size_t begin) : r_(r) {
    const Char here = r.at(begin), after = r.at(begin + here.bytes);
    cased_ = is_cased(here) || (is_blank(here) && is_cased(after));
    marks_ = is_mark(here) || (is_blank(here) && in_step2(begin + here.bytes, after) && is_mark(after));
  }
  bool has(size_t at, const Char& c) const {
    if (!in_step2(at, c)) return false;
    if (marks_) return is_mark(c);
    const size_t next = at + c.bytes;
    return !is_mark(c) && !(is_blank(c) && in_step2(next, r_.at(next)) && is_mark(r_.at(next)));
  }

 private:
  bool in_step2(size_t at, const Char& c) const {
    if (!c.bytes || c.in(kNewlines)) return false;
    return cased_ ? is_cased(c) : !is_cased(c) && !(is_blank(c) && is_cased(r_.at(at + c.bytes)));
  }
  const Reader& r_;
  bool cased_, marks_ = false;
};

struct DeepseekLlm {
  static size_t next(const Reader& r, size_t at) {
    const Char here = r.at(at);
    size_t end = at + here.bytes;
    if (here.in(kNewlines) || is_digit_alone(here)) return end;
    const Piece piece(r, at);
    // \s+$: white space up to the end of the piece lies apart; `inner` is behind a run that does not get
    // there.
    const auto white_end = [&](size_t from) {
      Char c = r.at(from);
      while (c.in(kSpaces) && (from == at || piece.has(from, c))) c = r.at(from += c.bytes);
      return from;
    };
    size_t inner = at;
    bool trailing = false;
    if (here.in(kSpaces)) {
      inner = white_end(at);
      trailing = !piece.has(inner, r.at(inner));
    }
    for (Char c = r.at(end); piece.has(end, c); c = r.at(end)) {
      if (is_digit_alone(c) || is_apart(c) != is_apart(here)) break;
      if (c.in(kSpaces) && !trailing && end >= inner) {
        inner = white_end(end);
        if (!piece.has(inner, r.at(inner))) break;
      }
      end += c.bytes;
    }
    return end;
  }
};

}  // namespace

size_t cut_deepseek_llm(std::string_view text, size_t& at, uint32_t* ends, size_t capacity) {
  return scan_with<DeepseekLlm>(text, at, ends, capacity);
}

}  // namespace cutaway
