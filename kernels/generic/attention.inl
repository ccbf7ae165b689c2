// Attention in three passes over the KV cache, never online: scores, softmax, values. A lane is a key in the
// first two and a dimension of the head in the third. Sums over keys are taken per segment of 256 absolute
// positions, then over segments in ascending order (docs/determinism.md), so no split of the work can change
// a bit.

template <bool kHalf>
static inline f32x16 load_kv(const void* p, int64_t i) {
  if constexpr (kHalf)
    return load_half(static_cast<const uint16_t*>(p) + i);
  else
    return load(static_cast<const float*>(p) + i);
}

template <bool kHalf>
static inline void put_kv(void* p, int64_t i, float v, bool* overflow) {
  if constexpr (kHalf) {
    uint16_t h = float_to_half(v);
    if ((h & 0x7FFFu) == 0x7C00u && v - v == 0.0f) *overflow = true;  // a finite value became infinite
    static_cast<uint16_t*>(p)[i] = h;
  } else {
    static_cast<float*>(p)[i] = v;
  }
}

static inline float get_kv(const void* p, int64_t i, bool half) {
  return half ? half_to_float(static_cast<const uint16_t*>(p)[i]) : static_cast<const float*>(p)[i];
}

static void k_store_k(void* tile, const float* k, int64_t lane, int64_t d_head, bool half, bool* overflow) {
  for (int64_t d = 0; d < d_head; ++d)
    half ? put_kv<true>(tile, d * kLanes + lane, k[d], overflow)
         : put_kv<false>(tile, d * kLanes + lane, k[d], overflow);
}

static void k_store_v(void* row, const float* v, int64_t d_head, bool half, bool* overflow) {
  const int64_t padded = (d_head + kLanes - 1) / kLanes * kLanes;
  for (int64_t d = 0; d < padded; ++d) {
    const float value = d < d_head ? v[d] : 0.0f;
    half ? put_kv<true>(row, d, value, overflow) : put_kv<false>(row, d, value, overflow);
  }
}

static void k_load_k(float* k, const void* tile, int64_t lane, int64_t d_head, bool half) {
  for (int64_t d = 0; d < d_head; ++d) k[d] = get_kv(tile, d * kLanes + lane, half);
}

static void k_load_v(float* v, const void* row, int64_t d_head, bool half) {
  for (int64_t d = 0; d < d_head; ++d) v[d] = get_kv(row, d, half);
}

// ---- scores: [R rows] x [T tiles of 16 keys], K over d_head ascending
template <bool kHalf, int R, int T>
static inline void score_tiles(float* s, int64_t ld_s, const float* const* q, const void* tiles,
                               int64_t d_head, float scale, float cap) {
  f32x16 acc[R][T];
  const float* row[R];
  UNROLL for (int r = 0; r < R; ++r) {
    row[r] = q[r];
    UNROLL for (int t = 0; t < T; ++t) acc[r][t] = set1(0.0f);
  }
  for (int64_t d = 0; d < d_head; ++d) {
    f32x16 k[T];
    UNROLL for (int t = 0; t < T; ++t) k[t] = load_kv<kHalf>(tiles, (t * d_head + d) * kLanes);
    UNROLL for (int r = 0; r < R; ++r) {
      const f32x16 x = set1(row[r][d]);
      UNROLL for (int t = 0; t < T; ++t) acc[r][t] = fma(k[t], x, acc[r][t]);
    }
  }
  UNROLL for (int r = 0; r < R; ++r) UNROLL for (int t = 0; t < T; ++t) {
    f32x16 x = mul(acc[r][t], set1(scale));
    if (cap != 0.0f) x = mul(set1(cap), tanh16(div(x, set1(cap))));
    store(s + r * ld_s + t * kLanes, x);
  }
}

// Keys and values in f16 are widened once for all rows of a task, where more than one block of rows reads
// them.
constexpr int64_t kWideHead = 256;
struct WideBlock {
  alignas(64) float x[kKvBlock * kWideHead];
};
static inline void widen(float* to, const void* from, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) store(to + i, load_kv<true>(from, i));
}

template <bool kHalf>
static void scores(float* s, int64_t ld_s, const float* const* q, int64_t rows, const void* const* k_blocks,
                   int64_t d_head, int64_t first, int64_t last, float scale, float cap) {
  constexpr int kTiles = kKvBlock / kLanes;
  const int64_t bytes = d_head * kLanes * (kHalf ? 2 : 4);
  const bool wide = kHalf && rows > kScoreRows && d_head <= kWideHead;
  WideBlock keys;
  for (int64_t t = first / kLanes; t < last / kLanes;) {
    const void* tiles = static_cast<const char*>(k_blocks[t / kTiles]) + (t % kTiles) * bytes;
    float* st = s + t * kLanes - first;
    const auto pass = [&]<int T>() {
      int64_t r = 0;
      if (wide) widen(keys.x, tiles, T * d_head * kLanes);
      const auto run = [&]<int R>() {
        for (; r + R <= rows; r += R)
          wide ? score_tiles<false, R, T>(st + r * ld_s, ld_s, q + r, keys.x, d_head, scale, cap)
               : score_tiles<kHalf, R, T>(st + r * ld_s, ld_s, q + r, tiles, d_head, scale, cap);
      };
      run.template operator()<kScoreRows>();
      run.template operator()<4>();
      run.template operator()<3>();
      run.template operator()<2>();
      run.template operator()<1>();
      t += T;
    };
    if (t % kTiles == 0 && t + kTiles <= last / kLanes)
      pass.template operator()<kTiles>();
    else
      pass.template operator()<1>();
  }
}

static void k_attention_scores(float* s, int64_t ld_s, const float* const* q, int64_t rows,
                               const void* const* k_blocks, int64_t d_head, int64_t first, int64_t last,
                               float scale, float cap, bool half) {
  half ? scores<true>(s, ld_s, q, rows, k_blocks, d_head, first, last, scale, cap)
       : scores<false>(s, ld_s, q, rows, k_blocks, d_head, first, last, scale, cap);
}

// ---- softmax: maximum, then e^(s - max) and its sum, then a fraction of the sum
static void k_attention_softmax(float* s, int64_t ld_s, const AttentionRows* visible, int64_t first,
                                int64_t last) {
  const f32x16 low = set1(-__builtin_inff());
  for (int r = 0; r < visible->rows; ++r, s += ld_s) {
    const int64_t lo = visible->lo[r], hi = visible->hi[r];
    const int64_t begin = lo / kLanes * kLanes, end = hi / kLanes * kLanes + kLanes;
    f32x16 top = low;
    // Only the first and the last vector can hold hidden keys.
    const auto visible_lanes = [&](f32x16 x, int64_t p, f32x16 hidden) {
      return p < lo || p + kLanes - 1 > hi ? keep_lanes(x, lo - p, hi - p, hidden) : x;
    };
    for (int64_t p = begin; p < end; p += kLanes)
      top = max16(top, visible_lanes(load(s + p - first), p, low));
    const f32x16 max = set1(max_lanes(top));
    float sum = 0.0f;
    for (int64_t p = begin; p < end;) {
      const int64_t stop = (p / kSegment + 1) * kSegment < end ? (p / kSegment + 1) * kSegment : end;
      f32x16 lanes = set1(0.0f);
      for (; p < stop; p += kLanes) {
        const f32x16 e = visible_lanes(exp16_nonpositive(sub(load(s + p - first), max)), p, set1(0.0f));
        store(s + p - first, e);
        lanes = add(lanes, e);
      }
      sum = sum + sum_lanes(lanes);
    }
    const f32x16 total = set1(sum), inverse = div(set1(1.0f), total);
    // Masked lanes are selected again: 0 / NaN would be NaN.
    for (int64_t p = begin; p < end; p += kLanes)
      store(s + p - first, visible_lanes(fraction_of(load(s + p - first), total, inverse), p, set1(0.0f)));
    for (int64_t p = first; p < begin; p += kLanes) store(s + p - first, set1(0.0f));
    for (int64_t p = end; p < last; p += kLanes) store(s + p - first, set1(0.0f));
  }
}

template <bool kStream>
static inline void map_row(float* out, const float* x, int64_t lo, int64_t hi, int64_t n, float masked) {
  const f32x16 hidden = set1(masked);
  const auto put = [](float* p, f32x16 v) { kStream ? stream(p, v) : store(p, v); };
  int64_t i = 0;
  for (; i + kLanes <= lo; i += kLanes) put(out + i, hidden);
  for (; i + kLanes <= n && i <= hi; i += kLanes) {
    if (lo <= i && i + kLanes - 1 <= hi) {
      put(out + i, load(x + i));
    } else {  // an edge of what is visible
      alignas(64) float edge[kLanes];
      for (int l = 0; l < kLanes; ++l) edge[l] = i + l < lo || i + l > hi ? masked : x[i + l];
      put(out + i, load(edge));
    }
  }
  for (; i + kLanes <= n; i += kLanes) put(out + i, hidden);
  for (; i < n; ++i) out[i] = i < lo || i > hi ? masked : x[i];
}

static void k_attention_map(float* const* out, const float* s, int64_t ld_s, const AttentionRows* visible,
                            int64_t first, int64_t n, float masked, bool past_caches) {
  for (int r = 0; r < visible->rows; ++r, s += ld_s) {
    if (!out[r]) continue;
    const bool aligned = reinterpret_cast<uintptr_t>(out[r]) % (kLanes * sizeof(float)) == 0;
    past_caches&& aligned ? map_row<true>(out[r], s - first, visible->lo[r], visible->hi[r], n, masked)
                          : map_row<false>(out[r], s - first, visible->lo[r], visible->hi[r], n, masked);
  }
  if (past_caches) stream_end();
}

// ---- values: acc[r, d] += p[r, key] * v[key, d], V vectors of d at a time, for n keys of one block,
// ascending; p and v: from the first of them on
template <bool kHalf, int R, int V>
static inline void value_run(float* acc, int64_t ld_acc, const float* p, int64_t ld_p, const void* v,
                             int64_t at, int64_t n, int64_t d_pad) {
  f32x16 a[R][V];
  const float* row[R];
  UNROLL for (int r = 0; r < R; ++r) {
    row[r] = p + r * ld_p;
    UNROLL for (int i = 0; i < V; ++i) a[r][i] = load(acc + r * ld_acc + i * kLanes);
  }
  for (int64_t key = 0; key < n; ++key, at += d_pad) {
    f32x16 x[V];
    UNROLL for (int i = 0; i < V; ++i) x[i] = load_kv<kHalf>(v, at + i * kLanes);
    UNROLL for (int r = 0; r < R; ++r) {
      const f32x16 w = set1(row[r][key]);
      UNROLL for (int i = 0; i < V; ++i) a[r][i] = fma(w, x[i], a[r][i]);
    }
  }
  UNROLL for (int r = 0; r < R; ++r) UNROLL for (int i = 0; i < V; ++i)
      store(acc + r * ld_acc + i * kLanes, a[r][i]);
}

// All rows and dimensions over n keys of one block. v: [n, d_pad]
template <bool kHalf>
static void value_block(float* acc, int64_t rows, const float* p, int64_t ld_p, const void* v, int64_t n,
                        int64_t d_pad) {
  int64_t r = 0;
  const auto run = [&]<int R>() {
    int64_t d = 0;
    for (; d + 4 * kLanes <= d_pad; d += 4 * kLanes)
      value_run<kHalf, R, 4>(acc + r * d_pad + d, d_pad, p + r * ld_p, ld_p, v, d, n, d_pad);
    for (; d < d_pad; d += kLanes)
      value_run<kHalf, R, 1>(acc + r * d_pad + d, d_pad, p + r * ld_p, ld_p, v, d, n, d_pad);
  };
  for (; r + kValueRows <= rows; r += kValueRows) run.template operator()<kValueRows>();
  for (; r + 3 <= rows; r += 3) run.template operator()<3>();
  for (; r + 2 <= rows; r += 2) run.template operator()<2>();
  for (; r < rows; ++r) run.template operator()<1>();
}

// Keys [from, to). p: from key `first` on
template <bool kHalf>
static void value_rows(float* acc, int64_t rows, const float* p, int64_t ld_p, const void* const* v_blocks,
                       int64_t first, int64_t from, int64_t to, int64_t d_pad) {
  const bool wide = kHalf && rows > kValueRows && d_pad <= kWideHead;
  WideBlock block;
  while (from < to) {
    const int64_t stop = (from / kKvBlock + 1) * kKvBlock < to ? (from / kKvBlock + 1) * kKvBlock : to;
    const void* v = static_cast<const char*>(v_blocks[from / kKvBlock]) +
                    (from % kKvBlock) * d_pad * static_cast<int64_t>(kHalf ? 2 : 4);
    if (wide) {
      widen(block.x, v, (stop - from) * d_pad);
      value_block<false>(acc, rows, p + from - first, ld_p, block.x, stop - from, d_pad);
    } else {
      value_block<kHalf>(acc, rows, p + from - first, ld_p, v, stop - from, d_pad);
    }
    from = stop;
  }
}

template <bool kHalf>
static void values(float* const* z, const float* p, int64_t ld_p, const AttentionRows* visible, int64_t first,
                   const void* const* v_blocks, int64_t d_head, float* acc) {
  const int64_t rows = visible->rows, d_pad = (d_head + kLanes - 1) / kLanes * kLanes;
  int64_t lo_min = visible->lo[0], lo_max = lo_min, hi_min = visible->hi[0], hi_max = hi_min;
  for (int64_t r = 1; r < rows; ++r) {
    const int64_t lo = visible->lo[r], hi = visible->hi[r];
    lo_min = lo < lo_min ? lo : lo_min;
    lo_max = lo > lo_max ? lo : lo_max;
    hi_min = hi < hi_min ? hi : hi_min;
    hi_max = hi > hi_max ? hi : hi_max;
  }
  float* total = acc + rows * d_pad;
  for (int64_t i = 0; i < rows * d_pad; i += kLanes) store(total + i, set1(0.0f));
  const auto clip = [](int64_t x, int64_t lo, int64_t hi) { return x < lo ? lo : x > hi ? hi : x; };
  for (int64_t begin = lo_min / kSegment * kSegment; begin <= hi_max; begin += kSegment) {
    const int64_t end = begin + kSegment;
    for (int64_t i = 0; i < rows * d_pad; i += kLanes) store(acc + i, set1(0.0f));
    // Keys that every row sees are shared; the ends, where the rows differ, go row by row. Ascending for each
    // row.
    const int64_t from = clip(lo_max, begin, end), to = clip(hi_min + 1, from, end);
    for (int64_t r = 0; r < rows; ++r)
      value_rows<kHalf>(acc + r * d_pad, 1, p + r * ld_p, ld_p, v_blocks, first,
                        clip(visible->lo[r], begin, end), clip(visible->hi[r] + 1, begin, from), d_pad);
    value_rows<kHalf>(acc, rows, p, ld_p, v_blocks, first, from, to, d_pad);
    for (int64_t r = 0; r < rows; ++r)
      value_rows<kHalf>(acc + r * d_pad, 1, p + r * ld_p, ld_p, v_blocks, first,
                        clip(visible->lo[r], to, end), clip(visible->hi[r] + 1, begin, end), d_pad);
    // A segment without a visible key adds nothing (adding +0 could turn a -0).
    for (int64_t r = 0; r < rows; ++r)
      if (visible->lo[r] < end && visible->hi[r] >= begin)
        for (int64_t d = 0; d < d_pad; d += kLanes)
          store(total + r * d_pad + d, add(load(total + r * d_pad + d), load(acc + r * d_pad + d)));
  }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t d = 0; d < d_head; d += kLanes) store_out(z[r] + d, load(total + r * d_pad + d), d_head - d);
}

static void k_attention_values(float* const* z, const float* p, int64_t ld_p, const AttentionRows* visible,
                               int64_t first, const void* const* v_blocks, int64_t d_head, bool half,
                               float* acc) {
  half ? values<true>(z, p, ld_p, visible, first, v_blocks, d_head, acc)
       : values<false>(z, p, ld_p, visible, first, v_blocks, d_head, acc);
}
