// NEON of every ARMv8 processor: 16 lanes are four registers, products of bytes pass through int16.
#include <arm_neon.h>

#include "kernels.h"

namespace cutaway::kernels {
namespace {

constexpr const char* kISA = "neon";
constexpr int kInt8Rows = 4, kInt8Tiles = 1;   // of an int8 register block
constexpr int kF32Rows = 6, kF32Tiles = 1;     // of a float32 register block
constexpr int kScoreRows = 1, kValueRows = 1;  // of attention: times 64 keys, times 64 dimensions
constexpr int64_t kF32PerMs = 2'000'000, kInt8PerMs = 4'000'000;  // see kernels.h
constexpr int kManyRowsFaster = 1;

#include "cpu/neon_lanes.inl"

struct Products {
  int16x8_t lo, hi;  // of the lower and the upper 8 bytes, two words added up
};
static inline Products products(int8x16_t c0, int8x16_t a0, int8x16_t c1, int8x16_t a1) {
  return {vmlal_s8(vmull_s8(vget_low_s8(c0), vget_low_s8(a0)), vget_low_s8(c1), vget_low_s8(a1)),
          vmlal_high_s8(vmull_high_s8(c0, a0), c1, a1)};
}

// acc + 8 codes (unsigned bytes: two words of each lane) times 8 activations (signed bytes). Codes of at most
// 63 are signed bytes too, and four products of at most 63 times 127 add up to 32,004: int16 holds them.
static inline i32x16 dot8_codes(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) {
  const int8x16_t a0 = broadcast4(a), a1 = broadcast4(a + 4);
  return each_register(acc, w0, w1, [&](int32x4_t sum, int32x4_t word0, int32x4_t word1) {
    const Products p = products(bytes_of(word0), a0, bytes_of(word1), a1);
    return vpadalq_s16(sum, vpaddq_s16(p.lo, p.hi));
  });
}

// The same of codes stored as value + 128: |value| <= 128 and |a| <= 127, so two products are at most 32,512.
static inline i32x16 dot8_bytes(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) {
  const int8x16_t a0 = broadcast4(a), a1 = broadcast4(a + 4);
  return each_register(acc, w0, w1, [&](int32x4_t sum, int32x4_t word0, int32x4_t word1) {
    const Products p = products(values_of(word0), a0, values_of(word1), a1);
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(p.lo), vpaddlq_s16(p.hi)));
  });
}
constexpr float kByteZero = 0.0f;

#define UNROLL _Pragma("GCC unroll 32")  // register blocks
#include "generic/all.inl"
#undef UNROLL

}  // namespace

const Table* neon_table() {
  static const Table table = make_table();
  return &table;
}

}  // namespace cutaway::kernels
