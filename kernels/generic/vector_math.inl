// Elementary functions and fixed-order sums over one 16-lane vector: the same bits in every instruction set,
// because every step is an IEEE operation written out here (docs/determinism.md). libm is not used.

static inline f32x16 negate(f32x16 x) {
  return from_bits(
      sub(bits(x), seti(static_cast<int32_t>(0x80000000u))));  // flips the top bit, whatever it was
}

// exp(x) = 2^n * e^r with n = round(x / ln 2), |r| <= ln 2 / 2; e^r by its minimax polynomial of degree 6
// (relative error below 2^-23). By definition +0 where e^x < FLT_MIN, +inf above FLT_MAX, NaN for NaN.
static inline f32x16 exp16_fraction(f32x16 x, i32x16* whole) {  // e^r, and n; x: from -88 to 89
  const f32x16 magic = set1(12582912.0f);                       // 1.5 * 2^23: adding it rounds to an integer
  const f32x16 shifted = add(mul(x, set1(1.44269504f)), magic);
  const f32x16 n = sub(shifted, magic);
  f32x16 r = fma(n, set1(-0.693359375f), x);  // ln 2 in two parts (Cody and Waite)
  r = fma(n, set1(2.12194440e-4f), r);
  f32x16 p = set1(1.9875691500e-4f);
  p = fma(p, r, set1(1.3981999507e-3f));
  p = fma(p, r, set1(8.3334519073e-3f));
  p = fma(p, r, set1(4.1665795894e-2f));
  p = fma(p, r, set1(1.6666665459e-1f));
  p = fma(p, r, set1(5.0000001201e-1f));
  *whole = sub(bits(shifted), seti(0x4B400000));
  return add(fma(mul(r, r), p, r), set1(1.0f));
}

constexpr float kLeastLog = -87.33654022f;  // the first float above ln FLT_MIN

static inline f32x16 exp16(f32x16 x) {
  i32x16 whole;
  f32x16 p = exp16_fraction(max16(min16(x, set1(89.0f)), set1(-88.0f)), &whole);
  // 2^n in two factors, so that n = 128 and n = -126 are both within range of the exponent bits.
  const i32x16 first = sar1(whole), second = sub(whole, first);
  p = mul(p, from_bits(shl<23>(add(first, seti(127)))));
  p = mul(p, from_bits(shl<23>(add(second, seti(127)))));
  p = select_less(x, set1(kLeastLog), set1(0.0f), p);
  p = select_less(set1(88.72283173f), x, set1(__builtin_inff()), p);
  return select_nan(x, x, p);
}

// exp16 of x <= 0 or NaN, the same bits: no result is too large, and one factor holds 2^n.
static inline f32x16 exp16_nonpositive(f32x16 x) {
  i32x16 whole;
  f32x16 p = exp16_fraction(max16(x, set1(-88.0f)), &whole);
  p = mul(p, from_bits(shl<23>(add(whole, seti(127)))));
  return select_nan(x, x, select_less(x, set1(kLeastLog), set1(0.0f), p));
}

// a / b for 0 <= a <= b as q + (a - q b) / b with q = a * (1 / b): three multiplications in place of a
// division (Markstein 1990). b and its inverse are given.
static inline f32x16 fraction_of(f32x16 a, f32x16 b, f32x16 inverse) {
  const f32x16 q = mul(a, inverse);
  return fma(fma(negate(q), b, a), inverse, q);
}

// x * 1 / (1 + exp(-y)): silu for y = x.
static inline f32x16 times_sigmoid(f32x16 x, f32x16 y) {
  return div(x, add(set1(1.0f), exp16(sub(set1(0.0f), y))));
}

// tanh(x): an odd polynomial below 0.625 (Cephes), else 1 - 2 / (exp(2|x|) + 1) with the sign put back.
static inline f32x16 tanh16(f32x16 x) {
  const i32x16 sign = and16(bits(x), seti(static_cast<int32_t>(0x80000000u)));
  const f32x16 a = from_bits(and16(bits(x), seti(0x7FFFFFFF)));
  const f32x16 z = mul(x, x);
  f32x16 p = set1(-5.70498872745e-3f);
  p = fma(p, z, set1(2.06390887954e-2f));
  p = fma(p, z, set1(-5.37397155531e-2f));
  p = fma(p, z, set1(1.33314422036e-1f));
  p = fma(p, z, set1(-3.33332819422e-1f));
  p = fma(mul(p, z), x, x);
  const f32x16 e = exp16(add(a, a));
  const f32x16 big = sub(set1(1.0f), div(set1(2.0f), add(e, set1(1.0f))));
  const f32x16 far = from_bits(or16(bits(big), sign));
  return select_nan(x, x, select_less(a, set1(0.625f), p, far));
}

// The fixed tree: lane l takes lane l + 8, then l + 4, l + 2, l + 1.
static inline float sum_lanes(f32x16 x) {
  float a[kLanes];
  store(a, x);
  for (int h = 8; h; h /= 2)
    for (int l = 0; l < h; ++l) a[l] = a[l] + a[l + h];
  return a[0];
}

// The largest lane by a > b ? a : b, lane l against lane l + 8, l + 4, l + 2, l + 1.
static inline float max_lanes(f32x16 x) {
  float a[kLanes];
  store(a, x);
  for (int h = 8; h; h /= 2)
    for (int l = 0; l < h; ++l) a[l] = a[l] > a[l + h] ? a[l] : a[l + h];
  return a[0];
}

// IEEE half to float, exact, integer code.
static inline float half_to_float(uint16_t h) {
  const uint32_t sign = (h & 0x8000u) << 16, exponent = (h >> 10) & 31u, fraction = h & 0x3FFu;
  uint32_t out;
  if (exponent == 31) {
    out = sign | 0x7F800000u | (fraction << 13);
  } else if (exponent != 0) {
    out = sign | ((exponent + 112) << 23) | (fraction << 13);
  } else {  // zero and subnormals: fraction * 2^-24
    float f = static_cast<float>(fraction) * 5.9604644775390625e-8f;
    __builtin_memcpy(&out, &f, 4);
    out |= sign;
  }
  float f;
  __builtin_memcpy(&f, &out, 4);
  return f;
}

static inline uint16_t read_u16(const uint8_t* p) { return static_cast<uint16_t>(p[0] | (p[1] << 8)); }
