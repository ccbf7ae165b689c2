// 16 lanes as two AVX2 registers, with FMA and F16C: every primitive but the products of bytes.
struct f32x16 {
  __m256 lo, hi;
};
struct i32x16 {
  __m256i lo, hi;
};

static inline __m256i lane_index(int first) {
  return _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
}
static inline int clip16(int64_t n) { return n < 0 ? 0 : n > 16 ? 16 : static_cast<int>(n); }
static inline __m256i below(int first, int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane_index(first));
}

static inline f32x16 set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
static inline i32x16 seti(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
static inline f32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
static inline f32x16 load_n(const float* p, int n) {
  return {_mm256_maskload_ps(p, below(0, n)), _mm256_maskload_ps(p + 8, below(8, n))};
}
static inline void store(float* p, f32x16 x) {
  _mm256_storeu_ps(p, x.lo);
  _mm256_storeu_ps(p + 8, x.hi);
}
static inline void store_n(float* p, f32x16 x, int n) {
  _mm256_maskstore_ps(p, below(0, n), x.lo);
  _mm256_maskstore_ps(p + 8, below(8, n), x.hi);
}
// Past the caches, to a multiple of 64 bytes; stream_end() before another thread may look.
static inline void stream(float* p, f32x16 x) {
  _mm256_stream_ps(p, x.lo);
  _mm256_stream_ps(p + 8, x.hi);
}
static inline void stream_end() { _mm_sfence(); }
static inline i32x16 loadi(const uint8_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
}
static inline void storei(int32_t* p, i32x16 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.lo);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), x.hi);
}
static inline __m128i load8(const uint8_t* p) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)); }
static inline __m128i load16(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
static inline i32x16 load_u8(const uint8_t* p) {
  return {_mm256_cvtepu8_epi32(load8(p)), _mm256_cvtepu8_epi32(load8(p + 8))};
}
static inline i32x16 load_s8(const uint8_t* p) {
  return {_mm256_cvtepi8_epi32(load8(p)), _mm256_cvtepi8_epi32(load8(p + 8))};
}

#define BOTH(f, a, b) {f(a.lo, b.lo), f(a.hi, b.hi)}
static inline f32x16 add(f32x16 a, f32x16 b) { return BOTH(_mm256_add_ps, a, b); }
static inline f32x16 sub(f32x16 a, f32x16 b) { return BOTH(_mm256_sub_ps, a, b); }
static inline f32x16 mul(f32x16 a, f32x16 b) { return BOTH(_mm256_mul_ps, a, b); }
static inline f32x16 div(f32x16 a, f32x16 b) { return BOTH(_mm256_div_ps, a, b); }
static inline f32x16 max16(f32x16 a, f32x16 b) {
  return BOTH(_mm256_max_ps, a, b);
}  // a > b ? a : b, as MAXPS is defined
static inline f32x16 min16(f32x16 a, f32x16 b) { return BOTH(_mm256_min_ps, a, b); }
static inline f32x16 fma(f32x16 a, f32x16 b, f32x16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
static inline f32x16 select_less(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
  return {_mm256_blendv_ps(y.lo, x.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ)),
          _mm256_blendv_ps(y.hi, x.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ))};
}
static inline f32x16 select_nan(f32x16 a, f32x16 x, f32x16 y) {
  return {_mm256_blendv_ps(y.lo, x.lo, _mm256_cmp_ps(a.lo, a.lo, _CMP_UNORD_Q)),
          _mm256_blendv_ps(y.hi, x.hi, _mm256_cmp_ps(a.hi, a.hi, _CMP_UNORD_Q))};
}
static inline f32x16 keep_lanes(f32x16 x, int64_t lo, int64_t hi, f32x16 y) {
  const int from = clip16(lo), to = clip16(hi + 1);
  const __m256i m0 = _mm256_andnot_si256(below(0, from), below(0, to)),
                m1 = _mm256_andnot_si256(below(8, from), below(8, to));
  return {_mm256_blendv_ps(y.lo, x.lo, _mm256_castsi256_ps(m0)),
          _mm256_blendv_ps(y.hi, x.hi, _mm256_castsi256_ps(m1))};
}

static inline i32x16 add(i32x16 a, i32x16 b) { return BOTH(_mm256_add_epi32, a, b); }
static inline i32x16 sub(i32x16 a, i32x16 b) { return BOTH(_mm256_sub_epi32, a, b); }
static inline i32x16 max16(i32x16 a, i32x16 b) { return BOTH(_mm256_max_epi32, a, b); }
static inline i32x16 and16(i32x16 a, i32x16 b) { return BOTH(_mm256_and_si256, a, b); }
static inline i32x16 or16(i32x16 a, i32x16 b) { return BOTH(_mm256_or_si256, a, b); }
#undef BOTH
template <int N>
static inline i32x16 shl(i32x16 a) {
  return {_mm256_slli_epi32(a.lo, N), _mm256_slli_epi32(a.hi, N)};
}
static inline i32x16 shr(i32x16 a, int n) {
  const __m128i count = _mm_cvtsi32_si128(n);
  return {_mm256_srl_epi32(a.lo, count), _mm256_srl_epi32(a.hi, count)};
}
static inline i32x16 sar1(i32x16 a) { return {_mm256_srai_epi32(a.lo, 1), _mm256_srai_epi32(a.hi, 1)}; }
static inline i32x16 bits(f32x16 a) { return {_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)}; }
static inline f32x16 from_bits(i32x16 a) { return {_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)}; }
static inline f32x16 to_float(i32x16 a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }

static inline f32x16 load_half(const void* p) {
  return {_mm256_cvtph_ps(load16(p)), _mm256_cvtph_ps(load16(static_cast<const uint8_t*>(p) + 16))};
}
static inline f32x16 load_bfloat(const uint8_t* p) {
  return from_bits({_mm256_slli_epi32(_mm256_cvtepu16_epi32(load16(p)), 16),
                    _mm256_slli_epi32(_mm256_cvtepu16_epi32(load16(p + 16)), 16)});
}
// Each byte of the words, 0 to 15, becomes that entry of the table.
static inline i32x16 lookup(i32x16 words, const uint8_t* table /*[16]*/) {
  const __m256i both = _mm256_broadcastsi128_si256(load16(table));
  return {_mm256_shuffle_epi8(both, words.lo), _mm256_shuffle_epi8(both, words.hi)};
}
static inline uint16_t float_to_half(float f) {
  return _cvtss_sh(f, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline __m256i broadcast4(const int8_t* a) {
  int32_t word;
  __builtin_memcpy(&word, a, 4);
  return _mm256_set1_epi32(word);
}

static inline int32_t largest_lane(i32x16 x) {
  const __m256i a = _mm256_max_epi32(x.lo, x.hi);
  __m128i m = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4E));
  return _mm_cvtsi128_si32(_mm_max_epi32(m, _mm_shuffle_epi32(m, 0xB1)));
}

static inline int32_t store_codes(int8_t* p, i32x16 x) {
  int32_t lanes[kLanes], sum = 0;
  storei(lanes, x);
  for (int l = 0; l < kLanes; ++l) {
    p[l] = static_cast<int8_t>(lanes[l]);
    sum += lanes[l];
  }
  return sum;
}
static inline f32x16 load_out(const float* p, int64_t n) {
  return n >= kLanes ? load(p) : load_n(p, clip16(n));
}
static inline void store_out(float* p, f32x16 x, int64_t n) {
  if (n >= kLanes)
    store(p, x);
  else
    store_n(p, x, clip16(n));
}
