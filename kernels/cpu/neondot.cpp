// NEON with the dot product instructions of ARMv8.2: 16 lanes are four registers.
#include <arm_neon.h>

#include "kernels.h"

namespace cutaway::kernels {
namespace {

constexpr const char* kISA = "neondot";
constexpr int kInt8Rows = 4, kInt8Tiles = 1;   // of an int8 register block
constexpr int kF32Rows = 6, kF32Tiles = 1;     // of a float32 register block
constexpr int kScoreRows = 1, kValueRows = 1;  // of attention: times 64 keys, times 64 dimensions
constexpr int64_t kF32PerMs = 2'000'000, kInt8PerMs = 8'000'000;  // see kernels.h
constexpr int kManyRowsFaster = 1;

#include "cpu/neon_lanes.inl"

// acc + 8 codes (unsigned bytes of at most 63, so signed ones too: two words of each lane) times 8
// activations.
static inline i32x16 dot8_codes(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) {
  const int8x16_t a0 = broadcast4(a), a1 = broadcast4(a + 4);
  return each_register(acc, w0, w1, [&](int32x4_t sum, int32x4_t word0, int32x4_t word1) {
    return vdotq_s32(vdotq_s32(sum, bytes_of(word0), a0), bytes_of(word1), a1);
  });
}
// The same of codes stored as value + 128.
static inline i32x16 dot8_bytes(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) {
  const int8x16_t a0 = broadcast4(a), a1 = broadcast4(a + 4);
  return each_register(acc, w0, w1, [&](int32x4_t sum, int32x4_t word0, int32x4_t word1) {
    return vdotq_s32(vdotq_s32(sum, values_of(word0), a0), values_of(word1), a1);
  });
}
constexpr float kByteZero = 0.0f;

#define UNROLL _Pragma("GCC unroll 32")  // register blocks
#include "generic/all.inl"
#undef UNROLL

}  // namespace

const Table* neondot_table() {
  static const Table table = make_table();
  return &table;
}

}  // namespace cutaway::kernels
