#include "tokenizer/ascii_block.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace cutaway {

#ifdef __x86_64__
bool has_wide_blocks() {
  static const bool has = __builtin_cpu_supports("avx512bw");  // the processor and the system
  return has;
}

__attribute__((target("avx512f,avx512bw"))) AsciiBlock classify_wide(const char* p, int size) {
  const __m512i v = _mm512_maskz_loadu_epi8(AsciiBlock::below(size), p);
  const uint64_t beyond = _mm512_movepi8_mask(v);
  AsciiBlock b{};
  b.data = p, b.size = beyond ? std::min(size, std::countr_zero(beyond)) : size;
  const uint64_t valid = AsciiBlock::below(b.size);
#define IS(c) _mm512_mask_cmpeq_epi8_mask(valid, v, _mm512_set1_epi8(c))
#define WITHIN(x, low, count) \
  _mm512_mask_cmplt_epu8_mask(valid, _mm512_sub_epi8(x, _mm512_set1_epi8(low)), _mm512_set1_epi8(count))
  b.letter = WITHIN(_mm512_or_si512(v, _mm512_set1_epi8(0x20)), 'a', 26);
  b.upper = WITHIN(v, 'A', 26);
  b.digit = WITHIN(v, '0', 10);
  b.blank = IS(' ');
  b.space = WITHIN(v, '\t', 5) | b.blank;
  b.newline = IS('\n') | IS('\r');
  b.apostrophe = IS('\'');
  b.slash = IS('/');
#undef IS
#undef WITHIN
  b.symbol = valid & ~(b.letter | b.digit | b.space);
  return b;
}
#else
bool has_wide_blocks() { return false; }
AsciiBlock classify_wide(const char*, int) { return {}; }
#endif

}  // namespace cutaway
