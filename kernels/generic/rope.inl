// Rotary position embedding. Each pair (a, b) turns by the angle of its frequency:
// a' = a cos - b sin, b' = b cos + a sin, as fma(a, cos, -(b sin)) and fma(b, cos, a sin).

static void k_rope(float* out, const float* x, const float* cos, const float* sin, int64_t heads,
                   int64_t d_head, int64_t half, bool halves) {
  const int64_t step = halves ? 1 : 2, other = halves ? half : 1;
  for (int64_t h = 0; h < heads; ++h, out += d_head, x += d_head) {
    int64_t i = 0;
    for (; halves && i + kLanes <= half; i += kLanes) {
      const f32x16 a = load(x + i), b = load(x + half + i), c = load(cos + i), s = load(sin + i);
      store(out + i, fma(a, c, sub(set1(0.0f), mul(b, s))));
      store(out + half + i, fma(b, c, mul(a, s)));
    }
    for (; i < half; ++i) {
      const float a = x[step * i], b = x[step * i + other];
      // 0 - b s, not -(b s): the vector loop above has no negation, and the two differ in the sign of a zero.
      out[step * i] = __builtin_fmaf(a, cos[i], 0.0f - b * sin[i]);
      out[step * i + other] = __builtin_fmaf(b, cos[i], a * sin[i]);
    }
    for (int64_t k = 2 * half; k < d_head; ++k) out[k] = x[k];
  }
}
