// AVX-512 with VNNI: 16 lanes are one register.
#include <immintrin.h>

#include "kernels.h"

namespace cutaway::kernels {
namespace {

constexpr const char* kISA = "avx512";
constexpr int kInt8Rows = 8, kInt8Tiles = 2;   // of an int8 register block
constexpr int kF32Rows = 8, kF32Tiles = 3;     // of a float32 register block
constexpr int kScoreRows = 6, kValueRows = 6;  // of attention: times 64 keys, times 64 dimensions
constexpr int64_t kF32PerMs = 6'000'000, kInt8PerMs = 20'000'000;  // see kernels.h
constexpr int kManyRowsFaster = 4;

using f32x16 = __m512;
using i32x16 = __m512i;

static inline __mmask16 first_lanes(int64_t n) {
  return static_cast<__mmask16>(n >= 16 ? 0xFFFF : n <= 0 ? 0 : (1u << n) - 1);
}

static inline f32x16 set1(float x) { return _mm512_set1_ps(x); }
static inline i32x16 seti(int32_t x) { return _mm512_set1_epi32(x); }
static inline f32x16 load(const float* p) { return _mm512_loadu_ps(p); }
static inline f32x16 load_n(const float* p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
static inline void store(float* p, f32x16 x) { _mm512_storeu_ps(p, x); }
static inline void store_n(float* p, f32x16 x, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), x); }
// Past the caches, to a multiple of 64 bytes; stream_end() before another thread may look.
static inline void stream(float* p, f32x16 x) { _mm512_stream_ps(p, x); }
static inline void stream_end() { _mm_sfence(); }
static inline i32x16 loadi(const uint8_t* p) { return _mm512_loadu_si512(p); }
static inline void storei(int32_t* p, i32x16 x) { _mm512_storeu_si512(p, x); }
static inline i32x16 load_u8(const uint8_t* p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
static inline i32x16 load_s8(const uint8_t* p) {
  return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

static inline f32x16 add(f32x16 a, f32x16 b) { return _mm512_add_ps(a, b); }
static inline f32x16 sub(f32x16 a, f32x16 b) { return _mm512_sub_ps(a, b); }
static inline f32x16 mul(f32x16 a, f32x16 b) { return _mm512_mul_ps(a, b); }
static inline f32x16 div(f32x16 a, f32x16 b) { return _mm512_div_ps(a, b); }
static inline f32x16 fma(f32x16 a, f32x16 b, f32x16 c) { return _mm512_fmadd_ps(a, b, c); }
static inline f32x16 max16(f32x16 a, f32x16 b) {
  return _mm512_max_ps(a, b);
}  // a > b ? a : b, as MAXPS is defined
static inline f32x16 min16(f32x16 a, f32x16 b) { return _mm512_min_ps(a, b); }
static inline f32x16 select_less(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
static inline f32x16 select_nan(f32x16 a, f32x16 x, f32x16 y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), y, x);
}
static inline f32x16 keep_lanes(f32x16 x, int64_t lo, int64_t hi, f32x16 y) {
  return _mm512_mask_blend_ps(static_cast<__mmask16>(first_lanes(hi + 1) & ~first_lanes(lo)), y, x);
}

static inline i32x16 add(i32x16 a, i32x16 b) { return _mm512_add_epi32(a, b); }
static inline i32x16 sub(i32x16 a, i32x16 b) { return _mm512_sub_epi32(a, b); }
static inline i32x16 max16(i32x16 a, i32x16 b) { return _mm512_max_epi32(a, b); }
static inline i32x16 and16(i32x16 a, i32x16 b) { return _mm512_and_si512(a, b); }
static inline i32x16 or16(i32x16 a, i32x16 b) { return _mm512_or_si512(a, b); }
template <int N>
static inline i32x16 shl(i32x16 a) {
  return _mm512_slli_epi32(a, N);
}
static inline i32x16 shr(i32x16 a, int n) {  // an immediate where n is known
  return reinterpret_cast<i32x16>(reinterpret_cast<__v16su>(a) >> static_cast<unsigned>(n));
}
static inline i32x16 sar1(i32x16 a) { return _mm512_srai_epi32(a, 1); }
static inline i32x16 bits(f32x16 a) { return _mm512_castps_si512(a); }
static inline f32x16 from_bits(i32x16 a) { return _mm512_castsi512_ps(a); }
static inline f32x16 to_float(i32x16 a) { return _mm512_cvtepi32_ps(a); }

static inline f32x16 load_half(const void* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
static inline f32x16 load_bfloat(const uint8_t* p) {
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16));
}
// Each byte of the words, 0 to 15, becomes that entry of the table.
static inline i32x16 lookup(i32x16 words, const uint8_t* table /*[16]*/) {
  const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(entries), words);
}
static inline uint16_t float_to_half(float f) {
  return _cvtss_sh(f, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// acc + 4 codes of each lane (unsigned bytes) times 4 activations (signed bytes). Written out because GCC
// makes two instructions of it, and the front end, which two hardware threads share, is then what bounds a
// prefill.
static inline i32x16 dot4(i32x16 acc, i32x16 w, const int8_t* a) {
  struct Word {
    int8_t bytes[4];
  };
  asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(acc) : "v"(w), "m"(*reinterpret_cast<const Word*>(a)));
  return acc;
}
// acc + 8 codes (two words of each lane) times 8 activations.
static inline i32x16 dot8_codes(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) {
  return dot4(dot4(acc, w0, a), w1, a + 4);
}
// The same of codes stored as value + 128: the result is too large by 128 times the activations' sum.
static inline i32x16 dot8_bytes(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) {
  return dot8_codes(acc, w0, w1, a);
}
constexpr float kByteZero = 128.0f;  // the offset of such codes

static inline int32_t largest_lane(i32x16 x) { return _mm512_reduce_max_epi32(x); }

static inline int32_t store_codes(int8_t* p, i32x16 x) {
  const __m128i codes = _mm512_cvtepi32_epi8(x);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), codes);
  // Sums of eight bytes made unsigned by adding 128.
  const __m128i sums =
      _mm_sad_epu8(_mm_xor_si128(codes, _mm_set1_epi8(static_cast<char>(0x80))), _mm_setzero_si128());
  return _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_unpackhi_epi64(sums, sums))) - 16 * 128;
}
static inline f32x16 load_out(const float* p, int64_t n) {
  return n >= kLanes ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(first_lanes(n), p);
}
static inline void store_out(float* p, f32x16 x, int64_t n) {
  if (n >= kLanes)
    _mm512_storeu_ps(p, x);
  else
    _mm512_mask_storeu_ps(p, first_lanes(n), x);
}

#define UNROLL _Pragma("GCC unroll 32")  // register blocks
#include "generic/all.inl"
#undef UNROLL

}  // namespace

const Table* avx512_table() {
  static const Table table = make_table();
  return &table;
}

}  // namespace cutaway::kernels
