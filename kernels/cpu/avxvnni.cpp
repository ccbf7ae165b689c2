// AVX-VNNI: the 16 lanes of AVX2 with VPDPBUSD, on processors without AVX-512. The tests compile this file a
// second time with the EVEX form of that instruction, which processors with AVX-512 have.
#include <immintrin.h>

#include "kernels.h"

namespace cutaway::kernels {
namespace {

constexpr const char* kISA = "avxvnni";
constexpr int kInt8Rows = 4, kInt8Tiles = 1;   // of an int8 register block
constexpr int kF32Rows = 6, kF32Tiles = 1;     // of a float32 register block
constexpr int kScoreRows = 2, kValueRows = 2;  // of attention: times 64 keys, times 64 dimensions
constexpr int64_t kF32PerMs = 4'000'000, kInt8PerMs = 15'000'000;  // see kernels.h
constexpr int kManyRowsFaster = 2;

#include "cpu/avx2_lanes.inl"

static inline __m256i dot4(__m256i acc, __m256i codes, __m256i a) {
#ifdef __AVXVNNI__
  return _mm256_dpbusd_avx_epi32(acc, codes, a);
#else
  return _mm256_dpbusd_epi32(acc, codes, a);
#endif
}
// acc + 8 codes (unsigned bytes: two words of each lane) times 8 activations (signed bytes).
static inline i32x16 dot8_codes(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) {
  const __m256i a0 = broadcast4(a), a1 = broadcast4(a + 4);
  return {dot4(dot4(acc.lo, w0.lo, a0), w1.lo, a1), dot4(dot4(acc.hi, w0.hi, a0), w1.hi, a1)};
}
// The same of codes stored as value + 128: the result is too large by 128 times the activations' sum.
static inline i32x16 dot8_bytes(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) {
  return dot8_codes(acc, w0, w1, a);
}
constexpr float kByteZero = 128.0f;  // the offset of such codes

#define UNROLL _Pragma("GCC unroll 32")  // register blocks
#include "generic/all.inl"
#undef UNROLL

}  // namespace

const Table* avxvnni_table() {
  static const Table table = make_table();
  return &table;
}

}  // namespace cutaway::kernels
