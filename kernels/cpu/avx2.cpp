// AVX2 with FMA and F16C: 16 lanes are two registers.
#include <immintrin.h>

#include "kernels.h"

namespace cutaway::kernels {
namespace {

constexpr const char* kISA = "avx2";
constexpr int kInt8Rows = 4, kInt8Tiles = 1;   // of an int8 register block
constexpr int kF32Rows = 6, kF32Tiles = 1;     // of a float32 register block
constexpr int kScoreRows = 2, kValueRows = 2;  // of attention: times 64 keys, times 64 dimensions
constexpr int64_t kF32PerMs = 4'000'000, kInt8PerMs = 15'000'000;  // see kernels.h
constexpr int kManyRowsFaster = 2;

#include "cpu/avx2_lanes.inl"

// acc + 8 codes (unsigned bytes: two words of each lane) times 8 activations (signed bytes). vpmaddubsw adds
// two products in saturating int16: codes of at most 63 times 127, twice, are 16,002, and two such sums still
// fit.
static inline i32x16 dot8_codes(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) {
  const __m256i ones = _mm256_set1_epi16(1), a0 = broadcast4(a), a1 = broadcast4(a + 4);
  const __m256i lo = _mm256_add_epi16(_mm256_maddubs_epi16(w0.lo, a0), _mm256_maddubs_epi16(w1.lo, a1));
  const __m256i hi = _mm256_add_epi16(_mm256_maddubs_epi16(w0.hi, a0), _mm256_maddubs_epi16(w1.hi, a1));
  return {_mm256_add_epi32(acc.lo, _mm256_madd_epi16(lo, ones)),
          _mm256_add_epi32(acc.hi, _mm256_madd_epi16(hi, ones))};
}

// The same of codes stored as value + 128. |value| as the unsigned operand and the sign moved to the
// activation: |value| <= 128 and |a| <= 127, so two products are at most 32,512: no saturation, and nothing
// to be taken off.
static inline i32x16 dot8_bytes(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) {
  const __m256i ones = _mm256_set1_epi16(1), flip = _mm256_set1_epi8(static_cast<char>(0x80));
  const auto word = [&](__m256i sum, __m256i stored, __m256i x) {
    const __m256i value = _mm256_xor_si256(stored, flip);
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(value), _mm256_sign_epi8(x, value));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
  };
  const __m256i a0 = broadcast4(a), a1 = broadcast4(a + 4);
  return {word(word(acc.lo, w0.lo, a0), w1.lo, a1), word(word(acc.hi, w0.hi, a0), w1.hi, a1)};
}
constexpr float kByteZero = 0.0f;

#define UNROLL _Pragma("GCC unroll 32")  // register blocks
#include "generic/all.inl"
#undef UNROLL

}  // namespace

const Table* avx2_table() {
  static const Table table = make_table();
  return &table;
}

}  // namespace cutaway::kernels
