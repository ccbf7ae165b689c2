// 16 lanes as four AdvSIMD registers, ARMv8.0: every primitive but the products of bytes.
struct f32x16 {
  float32x4_t a, b, c, d;
};
struct i32x16 {
  int32x4_t a, b, c, d;
};

// f of each of the four registers, of one or two operands.
#define FOUR(f, x) {f(x.a), f(x.b), f(x.c), f(x.d)}
#define FOUR2(f, x, y) {f(x.a, y.a), f(x.b, y.b), f(x.c, y.c), f(x.d, y.d)}

static inline int clip16(int64_t n) { return n < 0 ? 0 : n > 16 ? 16 : static_cast<int>(n); }

static inline f32x16 set1(float x) {
  const float32x4_t v = vdupq_n_f32(x);
  return {v, v, v, v};
}
static inline i32x16 seti(int32_t x) {
  const int32x4_t v = vdupq_n_s32(x);
  return {v, v, v, v};
}
static inline f32x16 load(const float* p) {
  return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
static inline void store(float* p, f32x16 x) {
  vst1q_f32(p, x.a);
  vst1q_f32(p + 4, x.b);
  vst1q_f32(p + 8, x.c);
  vst1q_f32(p + 12, x.d);
}
static inline f32x16 load_n(const float* p, int n) {  // there are no masked loads
  float lanes[kLanes] = {};
  for (int l = 0; l < n; ++l) lanes[l] = p[l];
  return load(lanes);
}
static inline void store_n(float* p, f32x16 x, int n) {
  float lanes[kLanes];
  store(lanes, x);
  for (int l = 0; l < n; ++l) p[l] = lanes[l];
}
static inline void stream(float* p, f32x16 x) { store(p, x); }
static inline void stream_end() {}
static inline int32x4_t word4(const uint8_t* p) { return vreinterpretq_s32_u8(vld1q_u8(p)); }
static inline i32x16 loadi(const uint8_t* p) {
  return {word4(p), word4(p + 16), word4(p + 32), word4(p + 48)};
}
static inline void storei(int32_t* p, i32x16 x) {
  vst1q_s32(p, x.a);
  vst1q_s32(p + 4, x.b);
  vst1q_s32(p + 8, x.c);
  vst1q_s32(p + 12, x.d);
}
static inline i32x16 load_u8(const uint8_t* p) {
  const uint8x16_t bytes = vld1q_u8(p);
  const uint16x8_t lo = vmovl_u8(vget_low_u8(bytes)), hi = vmovl_high_u8(bytes);
  return {vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(lo))), vreinterpretq_s32_u32(vmovl_high_u16(lo)),
          vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(hi))), vreinterpretq_s32_u32(vmovl_high_u16(hi))};
}
static inline i32x16 load_s8(const uint8_t* p) {
  const int8x16_t bytes = vreinterpretq_s8_u8(vld1q_u8(p));
  const int16x8_t lo = vmovl_s8(vget_low_s8(bytes)), hi = vmovl_high_s8(bytes);
  return {vmovl_s16(vget_low_s16(lo)), vmovl_high_s16(lo), vmovl_s16(vget_low_s16(hi)), vmovl_high_s16(hi)};
}

static inline f32x16 add(f32x16 x, f32x16 y) { return FOUR2(vaddq_f32, x, y); }
static inline f32x16 sub(f32x16 x, f32x16 y) { return FOUR2(vsubq_f32, x, y); }
static inline f32x16 mul(f32x16 x, f32x16 y) { return FOUR2(vmulq_f32, x, y); }
static inline f32x16 div(f32x16 x, f32x16 y) { return FOUR2(vdivq_f32, x, y); }
static inline f32x16 fma(f32x16 x, f32x16 y, f32x16 z) {
  return {vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b), vfmaq_f32(z.c, x.c, y.c),
          vfmaq_f32(z.d, x.d, y.d)};
}
// a > b ? a : b. FMAX would give NaN where b is a number.
static inline float32x4_t max4(float32x4_t x, float32x4_t y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }
static inline float32x4_t min4(float32x4_t x, float32x4_t y) { return vbslq_f32(vcltq_f32(x, y), x, y); }
static inline f32x16 max16(f32x16 x, f32x16 y) { return FOUR2(max4, x, y); }
static inline f32x16 min16(f32x16 x, f32x16 y) { return FOUR2(min4, x, y); }
static inline f32x16 select_less(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
  return {vbslq_f32(vcltq_f32(a.a, b.a), x.a, y.a), vbslq_f32(vcltq_f32(a.b, b.b), x.b, y.b),
          vbslq_f32(vcltq_f32(a.c, b.c), x.c, y.c), vbslq_f32(vcltq_f32(a.d, b.d), x.d, y.d)};
}
static inline f32x16 select_nan(f32x16 a, f32x16 x, f32x16 y) {
  return {vbslq_f32(vceqq_f32(a.a, a.a), y.a, x.a), vbslq_f32(vceqq_f32(a.b, a.b), y.b, x.b),
          vbslq_f32(vceqq_f32(a.c, a.c), y.c, x.c), vbslq_f32(vceqq_f32(a.d, a.d), y.d, x.d)};
}
static inline f32x16 keep_lanes(f32x16 x, int64_t lo, int64_t hi, f32x16 y) {
  static const int32_t index[4] = {0, 1, 2, 3};
  const int32x4_t from = vdupq_n_s32(clip16(lo)), to = vdupq_n_s32(clip16(hi + 1));
  const auto keep = [&](int first, float32x4_t kept, float32x4_t other) {
    const int32x4_t lane = vaddq_s32(vld1q_s32(index), vdupq_n_s32(first));
    return vbslq_f32(vandq_u32(vcgeq_s32(lane, from), vcltq_s32(lane, to)), kept, other);
  };
  return {keep(0, x.a, y.a), keep(4, x.b, y.b), keep(8, x.c, y.c), keep(12, x.d, y.d)};
}

static inline i32x16 add(i32x16 x, i32x16 y) { return FOUR2(vaddq_s32, x, y); }
static inline i32x16 sub(i32x16 x, i32x16 y) { return FOUR2(vsubq_s32, x, y); }
static inline i32x16 max16(i32x16 x, i32x16 y) { return FOUR2(vmaxq_s32, x, y); }
static inline i32x16 and16(i32x16 x, i32x16 y) { return FOUR2(vandq_s32, x, y); }
static inline i32x16 or16(i32x16 x, i32x16 y) { return FOUR2(vorrq_s32, x, y); }
template <int N>
static inline i32x16 shl(i32x16 x) {
  return {vshlq_n_s32(x.a, N), vshlq_n_s32(x.b, N), vshlq_n_s32(x.c, N), vshlq_n_s32(x.d, N)};
}
static inline i32x16 shr(i32x16 x, int n) {
  const auto shift = [n](int32x4_t v) {  // the operator: an immediate where n is known, as in unrolled loops
    return vreinterpretq_s32_u32(vreinterpretq_u32_s32(v) >> static_cast<uint32_t>(n));
  };
  return FOUR(shift, x);
}
static inline int32x4_t halve(int32x4_t x) { return vshrq_n_s32(x, 1); }
static inline i32x16 sar1(i32x16 x) { return FOUR(halve, x); }
static inline i32x16 bits(f32x16 x) { return FOUR(vreinterpretq_s32_f32, x); }
static inline f32x16 from_bits(i32x16 x) { return FOUR(vreinterpretq_f32_s32, x); }
static inline f32x16 to_float(i32x16 x) { return FOUR(vcvtq_f32_s32, x); }

static inline f32x16 load_half(const void* p) {
  const uint16_t* halves = static_cast<const uint16_t*>(p);
  const float16x8_t lo = vreinterpretq_f16_u16(vld1q_u16(halves)),
                    hi = vreinterpretq_f16_u16(vld1q_u16(halves + 8));
  return {vcvt_f32_f16(vget_low_f16(lo)), vcvt_high_f32_f16(lo), vcvt_f32_f16(vget_low_f16(hi)),
          vcvt_high_f32_f16(hi)};
}
static inline f32x16 load_bfloat(const uint8_t* p) {
  const uint16x8_t lo = vreinterpretq_u16_u8(vld1q_u8(p)), hi = vreinterpretq_u16_u8(vld1q_u8(p + 16));
  return {vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(lo), 16)),
          vreinterpretq_f32_u32(vshll_high_n_u16(lo, 16)),
          vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(hi), 16)),
          vreinterpretq_f32_u32(vshll_high_n_u16(hi, 16))};
}
// Each byte of the words, 0 to 15, becomes that entry of the table.
static inline i32x16 lookup(i32x16 words, const uint8_t* table /*[16]*/) {
  const uint8x16_t entries = vld1q_u8(table);
  const auto entry = [entries](int32x4_t word) {
    return vreinterpretq_s32_u8(vqtbl1q_u8(entries, vreinterpretq_u8_s32(word)));
  };
  return FOUR(entry, words);
}
// FCVT: nearest even, as the control word of the contract has it.
static inline uint16_t float_to_half(float f) {
  const __fp16 half = static_cast<__fp16>(f);
  uint16_t u;
  __builtin_memcpy(&u, &half, 2);
  return u;
}

// The same 4 bytes for each lane.
static inline int8x16_t broadcast4(const int8_t* a) {
  int32_t word;
  __builtin_memcpy(&word, a, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(word));
}
static inline int8x16_t bytes_of(int32x4_t words) { return vreinterpretq_s8_s32(words); }
// Bytes stored as value + 128.
static inline int8x16_t values_of(int32x4_t words) {
  return vreinterpretq_s8_u8(veorq_u8(vreinterpretq_u8_s32(words), vdupq_n_u8(0x80)));
}

// f(sum, word, word) of each register.
template <class F>
static inline i32x16 each_register(i32x16 acc, i32x16 w0, i32x16 w1, F f) {
  return {f(acc.a, w0.a, w1.a), f(acc.b, w0.b, w1.b), f(acc.c, w0.c, w1.c), f(acc.d, w0.d, w1.d)};
}

static inline int32_t largest_lane(i32x16 x) {
  return vmaxvq_s32(vmaxq_s32(vmaxq_s32(x.a, x.b), vmaxq_s32(x.c, x.d)));
}

static inline int32_t store_codes(int8_t* p, i32x16 x) {
  const int16x8_t lo = vmovn_high_s32(vmovn_s32(x.a), x.b), hi = vmovn_high_s32(vmovn_s32(x.c), x.d);
  vst1q_s8(p, vmovn_high_s16(vmovn_s16(lo), hi));
  return vaddvq_s32(vaddq_s32(vaddq_s32(x.a, x.b), vaddq_s32(x.c, x.d)));
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
#undef FOUR
#undef FOUR2
