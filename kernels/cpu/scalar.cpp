// The reference instruction set: 16 lanes as a loop of 16, every operation the IEEE one.
#include "kernels.h"

namespace cutaway::kernels {
namespace {

constexpr const char* kISA = "scalar";
constexpr int kInt8Rows = 4, kInt8Tiles = 1;   // of an int8 register block
constexpr int kF32Rows = 4, kF32Tiles = 1;     // of a float32 register block
constexpr int kScoreRows = 2, kValueRows = 2;  // of attention: times 64 keys, times 64 dimensions
constexpr int64_t kF32PerMs = 120'000, kInt8PerMs = 600'000;  // see kernels.h
constexpr int kManyRowsFaster = 1;

struct f32x16 {
  float v[kLanes];
};
struct i32x16 {
  int32_t v[kLanes];
};

#define LANES(type, expr)                             \
  type out;                                           \
  for (int l = 0; l < kLanes; ++l) out.v[l] = (expr); \
  return out
using u32 = uint32_t;

static inline f32x16 set1(float x) { LANES(f32x16, x); }
static inline i32x16 seti(int32_t x) { LANES(i32x16, x); }
static inline f32x16 load(const float* p) { LANES(f32x16, p[l]); }
static inline f32x16 load_n(const float* p, int n) { LANES(f32x16, l < n ? p[l] : 0.0f); }
static inline void store(float* p, f32x16 x) {
  for (int l = 0; l < kLanes; ++l) p[l] = x.v[l];
}
static inline void store_n(float* p, f32x16 x, int n) {
  for (int l = 0; l < n; ++l) p[l] = x.v[l];
}
static inline void stream(float* p, f32x16 x) { store(p, x); }
static inline void stream_end() {}
static inline i32x16 loadi(const uint8_t* p) {
  i32x16 x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}
static inline void storei(int32_t* p, i32x16 x) { __builtin_memcpy(p, &x, sizeof x); }
static inline i32x16 load_u8(const uint8_t* p) { LANES(i32x16, p[l]); }
static inline i32x16 load_s8(const uint8_t* p) { LANES(i32x16, static_cast<int8_t>(p[l])); }

static inline f32x16 add(f32x16 a, f32x16 b) { LANES(f32x16, a.v[l] + b.v[l]); }
static inline f32x16 sub(f32x16 a, f32x16 b) { LANES(f32x16, a.v[l] - b.v[l]); }
static inline f32x16 mul(f32x16 a, f32x16 b) { LANES(f32x16, a.v[l] * b.v[l]); }
static inline f32x16 div(f32x16 a, f32x16 b) { LANES(f32x16, a.v[l] / b.v[l]); }
static inline f32x16 fma(f32x16 a, f32x16 b, f32x16 c) {
  LANES(f32x16, __builtin_fmaf(a.v[l], b.v[l], c.v[l]));
}
static inline f32x16 max16(f32x16 a, f32x16 b) { LANES(f32x16, a.v[l] > b.v[l] ? a.v[l] : b.v[l]); }
static inline f32x16 min16(f32x16 a, f32x16 b) { LANES(f32x16, a.v[l] < b.v[l] ? a.v[l] : b.v[l]); }
static inline f32x16 select_less(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
  LANES(f32x16, a.v[l] < b.v[l] ? x.v[l] : y.v[l]);
}
static inline f32x16 select_nan(f32x16 a, f32x16 x, f32x16 y) {
  LANES(f32x16, a.v[l] != a.v[l] ? x.v[l] : y.v[l]);
}
static inline f32x16 keep_lanes(f32x16 x, int64_t lo, int64_t hi, f32x16 y) {
  LANES(f32x16, l >= lo && l <= hi ? x.v[l] : y.v[l]);
}

// Integer lanes wrap.
static inline i32x16 add(i32x16 a, i32x16 b) {
  LANES(i32x16, static_cast<int32_t>(u32(a.v[l]) + u32(b.v[l])));
}
static inline i32x16 sub(i32x16 a, i32x16 b) {
  LANES(i32x16, static_cast<int32_t>(u32(a.v[l]) - u32(b.v[l])));
}
static inline i32x16 max16(i32x16 a, i32x16 b) { LANES(i32x16, a.v[l] > b.v[l] ? a.v[l] : b.v[l]); }
static inline i32x16 and16(i32x16 a, i32x16 b) { LANES(i32x16, a.v[l] & b.v[l]); }
static inline i32x16 or16(i32x16 a, i32x16 b) { LANES(i32x16, a.v[l] | b.v[l]); }
template <int N>
static inline i32x16 shl(i32x16 a) {
  LANES(i32x16, static_cast<int32_t>(u32(a.v[l]) << N));
}
static inline i32x16 shr(i32x16 a, int n) { LANES(i32x16, static_cast<int32_t>(u32(a.v[l]) >> n)); }
static inline i32x16 sar1(i32x16 a) { LANES(i32x16, a.v[l] >> 1); }
static inline i32x16 bits(f32x16 a) {
  i32x16 x;
  __builtin_memcpy(&x, &a, sizeof x);
  return x;
}
static inline f32x16 from_bits(i32x16 a) {
  f32x16 x;
  __builtin_memcpy(&x, &a, sizeof x);
  return x;
}
static inline f32x16 to_float(i32x16 a) { LANES(f32x16, static_cast<float>(a.v[l])); }

static inline float half_to_float(uint16_t h);
static inline f32x16 load_half(const void* p) {
  const uint8_t* b = static_cast<const uint8_t*>(p);
  LANES(f32x16, half_to_float(static_cast<uint16_t>(b[2 * l] | (b[2 * l + 1] << 8))));
}
static inline f32x16 load_bfloat(const uint8_t* p) {
  i32x16 x;
  for (int l = 0; l < kLanes; ++l) x.v[l] = static_cast<int32_t>(u32(p[2 * l] | (p[2 * l + 1] << 8)) << 16);
  return from_bits(x);
}
// Each byte of the words, 0 to 15, becomes that entry of the table.
static inline i32x16 lookup(i32x16 words, const uint8_t* table /*[16]*/) {
  for (int l = 0; l < kLanes; ++l) {
    u32 out = 0;
    for (int b = 0; b < 32; b += 8) out |= u32(table[(u32(words.v[l]) >> b) & 15u]) << b;
    words.v[l] = static_cast<int32_t>(out);
  }
  return words;
}

// Nearest even; NaN stays NaN (quiet, upper payload bits kept), as the hardware conversion does.
static inline uint16_t float_to_half(float f) {
  u32 u;
  __builtin_memcpy(&u, &f, 4);
  const u32 sign = (u >> 16) & 0x8000u, a = u & 0x7FFFFFFFu;
  if (a > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u | ((a >> 13) & 0x1FFu));
  if (a >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);  // 65520 and above: infinity
  if (a < 0x38800000u) {                                               // below 2^-14: a subnormal half
    float magnitude;
    __builtin_memcpy(&magnitude, &a, 4);
    const float shifted = magnitude + 0.5f;  // rounds to a multiple of 2^-24
    u32 s;
    __builtin_memcpy(&s, &shifted, 4);
    return static_cast<uint16_t>(sign | (s - 0x3F000000u));
  }
  return static_cast<uint16_t>(sign | ((a - 0x38000000u + 0xFFFu + ((a >> 13) & 1u)) >> 13));
}

// acc + 8 codes (unsigned bytes: two words of each lane) times 8 activations (signed bytes).
static inline i32x16 dot8(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a, int zero) {
  for (int l = 0; l < kLanes; ++l)
    for (int b = 0; b < 4; ++b) {
      acc.v[l] += (static_cast<int32_t>((u32(w0.v[l]) >> (8 * b)) & 255u) - zero) * a[b];
      acc.v[l] += (static_cast<int32_t>((u32(w1.v[l]) >> (8 * b)) & 255u) - zero) * a[4 + b];
    }
  return acc;
}
static inline i32x16 dot8_codes(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) {
  return dot8(acc, w0, w1, a, 0);
}
// The same of codes stored as value + 128.
static inline i32x16 dot8_bytes(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) {
  return dot8(acc, w0, w1, a, 128);
}
constexpr float kByteZero = 0.0f;

static inline int32_t largest_lane(i32x16 x) {
  int32_t top = x.v[0];
  for (int l = 1; l < kLanes; ++l) top = x.v[l] > top ? x.v[l] : top;
  return top;
}

// The low byte of each lane; returns their sum.
static inline int32_t store_codes(int8_t* p, i32x16 x) {
  int32_t sum = 0;
  for (int l = 0; l < kLanes; ++l) {
    p[l] = static_cast<int8_t>(x.v[l]);
    sum += x.v[l];
  }
  return sum;
}
static inline f32x16 load_out(const float* p, int64_t n) { LANES(f32x16, l < n ? p[l] : 0.0f); }
static inline void store_out(float* p, f32x16 x, int64_t n) {
  for (int l = 0; l < kLanes && l < n; ++l) p[l] = x.v[l];
}
#undef LANES

#define UNROLL  // loops over lanes are long enough
#include "generic/all.inl"
#undef UNROLL

}  // namespace

const Table* scalar_table() {
  static const Table table = make_table();
  return &table;
}

}  // namespace cutaway::kernels
