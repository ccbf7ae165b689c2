// Kernels over rows and flat arrays: norms, activation quantisation, sums, activations of the MLP.

// Applies f to n values, 16 at a time; the tail is computed on zero-filled lanes and stored in part.
#define FOR_EACH_16(n, body_full, body_tail)            \
  int64_t i = 0;                                        \
  for (; i + kLanes <= (n); i += kLanes) { body_full; } \
  if (const int tail = static_cast<int>((n) - i)) { body_tail; }

static void k_rms_norm(float* out, float* scale, const float* x, const float* weight, int64_t rows,
                       int64_t cols, float eps) {
  for (int64_t r = 0; r < rows; ++r, out += cols, x += cols) {
    f32x16 squares = set1(0.0f);
    {
      FOR_EACH_16(cols, const f32x16 v = load(x + i);
                  squares = fma(v, v, squares), const f32x16 v = load_n(x + i, tail);
                  squares = fma(v, v, squares))
    }
    const float s = __builtin_sqrtf(sum_lanes(squares) / static_cast<float>(cols) + eps);
    if (scale) scale[r] = s;
    const f32x16 divisor = set1(s);
    FOR_EACH_16(cols, store(out + i, mul(div(load(x + i), divisor), load(weight + i))),
                store_n(out + i, mul(div(load_n(x + i, tail), divisor), load_n(weight + i, tail)), tail))
  }
}

// Per block of 32: amax = max |x|, scale = amax / 127, code = round to nearest even of x * (127 / amax). A
// block with an infinity or a NaN has codes 0 and a scale that is not finite, so the fault reaches every
// output it touches.
static void k_quantize(const Int8Rows* out, int64_t first, const float* x, int64_t rows, int64_t cols) {
  constexpr int32_t kNotFinite = 0x7F800000;
  const int64_t blocks = cols / kQBlock;
  const f32x16 magic = set1(12582912.0f), largest = set1(3.4028234663852886e38f), most = set1(127.0f);
  for (int64_t r = first; r < first + rows; ++r, x += cols)
    for (int64_t b0 = 0; b0 < blocks; b0 += kLanes) {  // 16 blocks: their scales are one vector
      const int64_t n = blocks - b0 < kLanes ? blocks - b0 : kLanes;
      int32_t tops[kLanes] = {};
      float scales[kLanes], factors[kLanes];
      // |x| compared as integers: ordered like the floats, and a NaN is the largest of all.
      for (int64_t i = 0; i < n; ++i) {
        const float* block = x + (b0 + i) * kQBlock;
        const i32x16 a0 = and16(bits(load(block)), seti(0x7FFFFFFF)),
                     a1 = and16(bits(load(block + kLanes)), seti(0x7FFFFFFF));
        tops[i] = largest_lane(max16(a0, a1));
      }
      const f32x16 amax = from_bits(loadi(reinterpret_cast<const uint8_t*>(tops))), factor = div(most, amax);
      // Zero, or so small that 127 / amax overflows: the block is zero.
      store(scales, select_less(largest, factor, set1(0.0f), div(amax, most)));
      store(factors, select_less(largest, factor, set1(0.0f), factor));
      for (int64_t i = 0; i < n; ++i) {
        const int64_t at = int8_at(out->group, r, b0 + i, blocks);
        const float* block = x + (b0 + i) * kQBlock;
        int8_t* codes = out->codes + at * kQBlock;
        int32_t sums[2] = {0, 0};
        if (tops[i] >= kNotFinite) {
          for (int k = 0; k < kQBlock; ++k) codes[k] = 0;
        } else {
          const f32x16 f = set1(factors[i]);
          const i32x16 zero = bits(magic);
          sums[0] = store_codes(codes, sub(bits(add(mul(load(block), f), magic)), zero));
          sums[1] = store_codes(codes + kLanes, sub(bits(add(mul(load(block + kLanes), f), magic)), zero));
        }
        out->scale[at] = scales[i];
        out->sum[at] = static_cast<float>(sums[0] + sums[1]);
        out->half_sums[2 * at] = static_cast<float>(sums[0]);
        out->half_sums[2 * at + 1] = static_cast<float>(sums[1]);
        out->scaled_sum[at] = scales[i] * out->sum[at];
      }
    }
}

static void k_add(float* out, const float* a, const float* b, int64_t n) {
  FOR_EACH_16(n, store(out + i, add(load(a + i), load(b + i))),
              store_n(out + i, add(load_n(a + i, tail), load_n(b + i, tail)), tail))
}

static void k_scale(float* out, const float* x, float factor, int64_t n) {
  const f32x16 f = set1(factor);
  FOR_EACH_16(n, store(out + i, mul(load(x + i), f)), store_n(out + i, mul(load_n(x + i, tail), f), tail))
}

static void k_soft_cap(float* out, const float* x, float cap, int64_t n) {
  const f32x16 c = set1(cap);
  FOR_EACH_16(n, store(out + i, mul(c, tanh16(div(load(x + i), c)))),
              store_n(out + i, mul(c, tanh16(div(load_n(x + i, tail), c))), tail))
}

static void k_exp(float* out, const float* x, int64_t n) {
  FOR_EACH_16(n, store(out + i, exp16(load(x + i))), store_n(out + i, exp16(load_n(x + i, tail)), tail))
}

static inline f32x16 silu16(f32x16 g) { return times_sigmoid(g, g); }

// 0.5 g (1 + tanh(u)) = g * sigmoid(2 u), u = sqrt(2 / pi) (g + 0.044715 g^3).
static inline f32x16 gelu_tanh16(f32x16 g) {
  const f32x16 cubic = mul(mul(g, g), g);
  const f32x16 u = mul(set1(0.7978845608f), fma(set1(0.044715f), cubic, g));
  return times_sigmoid(g, add(u, u));
}

static void k_silu_mul(float* out, const float* gate, const float* up, int64_t n) {
  FOR_EACH_16(n, store(out + i, mul(silu16(load(gate + i)), load(up + i))),
              store_n(out + i, mul(silu16(load_n(gate + i, tail)), load_n(up + i, tail)), tail))
}

static void k_gelu_tanh_mul(float* out, const float* gate, const float* up, int64_t n) {
  FOR_EACH_16(n, store(out + i, mul(gelu_tanh16(load(gate + i)), load(up + i))),
              store_n(out + i, mul(gelu_tanh16(load_n(gate + i, tail)), load_n(up + i, tail)), tail))
}

#undef FOR_EACH_16
