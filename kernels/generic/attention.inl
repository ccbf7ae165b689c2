// Attention in three passes over the KV cache, never online: scores, softmax, values. A lane is a key in the
// first two and a dimension of the head in the third. Sums over keys are taken per segment of 256 absolute
// positions, then over segments in ascending order (docs/determinism.md), so no split of the work can change
// a bit.

// f.template operator()<type>()
template <class F>
static inline void with_type(KvType type, F f) {
  if (type == KvType::f32)
    f.template operator()<KvType::f32>();
  else if (type == KvType::f16)
    f.template operator()<KvType::f16>();
  else
    f.template operator()<KvType::q8_0>();
}

// 16 numbers as they are stored, widened. first: of them, scale: of the 32 that they belong to.
template <KvType kType>
static inline f32x16 load_kv(const void* p, int64_t first) {
  if constexpr (kType == KvType::f16)
    return load_half(static_cast<const uint16_t*>(p) + first);
  else
    return load(static_cast<const float*>(p) + first);
}
static inline f32x16 load_codes(const void* p, int64_t first, f32x16 scale) {
  return mul(to_float(load_s8(static_cast<const uint8_t*>(p) + first)), scale);
}
static inline const float* scales_of(const void* codes, int64_t n) {
  return reinterpret_cast<const float*>(static_cast<const char*>(codes) + n);
}

// Dimension d of the 16 keys of tile t.
template <KvType kType>
static inline f32x16 load_keys(const void* tiles, int64_t t, int64_t d, int64_t d_head) {
  if constexpr (kType == KvType::q8_0) {
    const void* tile = static_cast<const char*>(tiles) + t * kv_bytes(kType, d_head * kLanes);
    return load_codes(tile, d * kLanes, load(scales_of(tile, d_head * kLanes) + d / kQBlock * kLanes));
  } else {
    return load_kv<kType>(tiles, (t * d_head + d) * kLanes);
  }
}

// Dimensions d to d + 15 of a value.
template <KvType kType>
static inline f32x16 load_value(const void* row, int64_t d, int64_t d_pad) {
  if constexpr (kType == KvType::q8_0)
    return load_codes(row, d, set1(scales_of(row, d_pad)[d / kQBlock]));
  else
    return load_kv<kType>(row, d);
}

// Codes and scales of one head, as int8 activations have them; every `stride`-th place.
static void store_coded(int8_t* codes, float* scales, int64_t stride, const float* x, int64_t n) {
  constexpr int64_t kPiece = kLanes * kQBlock;
  int8_t piece[kPiece];
  float scale[kLanes], sum[kLanes], half_sums[2 * kLanes], scaled_sum[kLanes];
  const Int8Rows row = {1, piece, scale, sum, half_sums, scaled_sum, nullptr};
  for (int64_t begin = 0; begin < n; begin += kPiece) {
    const int64_t size = n - begin < kPiece ? n - begin : kPiece;
    k_quantize(&row, 0, x + begin, 1, size);
    for (int64_t i = 0; i < size; ++i) codes[(begin + i) * stride] = piece[i];
    for (int64_t b = 0; b < size / kQBlock; ++b) scales[(begin / kQBlock + b) * stride] = scale[b];
  }
}

// The numbers of one head, x[i] at place i * stride + lane.
static void store_head(void* p, const float* x, int64_t lane, int64_t stride, int64_t n, KvType type,
                       bool* overflow) {
  if (type == KvType::q8_0) {
    float* scales = reinterpret_cast<float*>(static_cast<char*>(p) + n * stride);
    return store_coded(static_cast<int8_t*>(p) + lane, scales + lane, stride, x, n);
  }
  for (int64_t i = 0; i < n; ++i)
    if (type == KvType::f16) {
      const uint16_t h = float_to_half(x[i]);
      if ((h & 0x7FFFu) == 0x7C00u && x[i] - x[i] == 0.0f) *overflow = true;  // finite, and became infinite
      static_cast<uint16_t*>(p)[i * stride + lane] = h;
    } else {
      static_cast<float*>(p)[i * stride + lane] = x[i];
    }
}

static void load_head(float* x, const void* p, int64_t lane, int64_t stride, int64_t n, KvType type) {
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = i * stride + lane;
    x[i] = type == KvType::f32   ? static_cast<const float*>(p)[at]
           : type == KvType::f16 ? half_to_float(static_cast<const uint16_t*>(p)[at])
                                 : static_cast<float>(static_cast<const int8_t*>(p)[at]) *
                                       scales_of(p, n * stride)[i / kQBlock * stride + lane];
  }
}

static void k_store_k(void* tile, const float* k, int64_t lane, int64_t d_head, KvType type, bool* overflow) {
  store_head(tile, k, lane, kLanes, d_head, type, overflow);
}

static void k_store_v(void* row, const float* v, int64_t d_head, KvType type, bool* overflow) {
  const int64_t padded = (d_head + kLanes - 1) / kLanes * kLanes;
  store_head(row, v, 0, 1, d_head, type, overflow);
  for (int64_t i = kv_bytes(type, d_head); i < kv_bytes(type, padded); ++i) static_cast<char*>(row)[i] = 0;
}

static void k_load_k(float* k, const void* tile, int64_t lane, int64_t d_head, KvType type) {
  load_head(k, tile, lane, kLanes, d_head, type);
}

static void k_load_v(float* v, const void* row, int64_t d_head, KvType type) {
  load_head(v, row, 0, 1, d_head, type);
}

// ---- scores: [R rows] x [T tiles of 16 keys], K over d_head ascending
template <KvType kType, int R, int T>
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
    UNROLL for (int t = 0; t < T; ++t) k[t] = load_keys<kType>(tiles, t, d, d_head);
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

// Keys and values that are not float32 are widened once for all rows of a task, where more than one block of
// rows reads them.
constexpr int64_t kWideHead = 256;
struct WideBlock {
  alignas(64) float x[kKvBlock * kWideHead];
};

template <KvType kType>
static void scores(float* s, int64_t ld_s, const float* const* q, int64_t rows, const void* const* k_blocks,
                   int64_t d_head, int64_t first, int64_t last, float scale, float cap) {
  constexpr int kTiles = kKvBlock / kLanes;
  const int64_t bytes = kv_bytes(kType, d_head * kLanes);
  const bool wide = kType != KvType::f32 && rows > kScoreRows && d_head <= kWideHead;
  WideBlock keys;
  for (int64_t t = first / kLanes; t < last / kLanes;) {
    const void* tiles = static_cast<const char*>(k_blocks[t / kTiles]) + (t % kTiles) * bytes;
    float* st = s + t * kLanes - first;
    const auto pass = [&]<int T>() {
      int64_t r = 0;
      for (int64_t i = 0; wide && i < T; ++i)
        for (int64_t d = 0; d < d_head; ++d)
          store(keys.x + (i * d_head + d) * kLanes, load_keys<kType>(tiles, i, d, d_head));
      const auto run = [&]<int R>() {
        for (; r + R <= rows; r += R)
          wide ? score_tiles<KvType::f32, R, T>(st + r * ld_s, ld_s, q + r, keys.x, d_head, scale, cap)
               : score_tiles<kType, R, T>(st + r * ld_s, ld_s, q + r, tiles, d_head, scale, cap);
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
                               float scale, float cap, KvType type) {
  with_type(type, [&]<KvType kType>() {
    scores<kType>(s, ld_s, q, rows, k_blocks, d_head, first, last, scale, cap);
  });
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
template <KvType kType, int R, int V>
static inline void value_run(float* acc, int64_t ld_acc, const float* p, int64_t ld_p, const void* v,
                             int64_t d, int64_t n, int64_t d_pad) {
  f32x16 a[R][V];
  const float* row[R];
  UNROLL for (int r = 0; r < R; ++r) {
    row[r] = p + r * ld_p;
    UNROLL for (int i = 0; i < V; ++i) a[r][i] = load(acc + r * ld_acc + i * kLanes);
  }
  const char* at = static_cast<const char*>(v);
  for (int64_t key = 0; key < n; ++key, at += kv_bytes(kType, d_pad)) {
    f32x16 x[V];
    UNROLL for (int i = 0; i < V; ++i) x[i] = load_value<kType>(at, d + i * kLanes, d_pad);
    UNROLL for (int r = 0; r < R; ++r) {
      const f32x16 w = set1(row[r][key]);
      UNROLL for (int i = 0; i < V; ++i) a[r][i] = fma(w, x[i], a[r][i]);
    }
  }
  UNROLL for (int r = 0; r < R; ++r) UNROLL for (int i = 0; i < V; ++i)
      store(acc + r * ld_acc + i * kLanes, a[r][i]);
}

// All rows and dimensions over n keys of one block. v: [n, d_pad]
template <KvType kType>
static void value_block(float* acc, int64_t rows, const float* p, int64_t ld_p, const void* v, int64_t n,
                        int64_t d_pad) {
  int64_t r = 0;
  const auto run = [&]<int R>() {
    int64_t d = 0;
    for (; d + 4 * kLanes <= d_pad; d += 4 * kLanes)
      value_run<kType, R, 4>(acc + r * d_pad + d, d_pad, p + r * ld_p, ld_p, v, d, n, d_pad);
    for (; d < d_pad; d += kLanes)
      value_run<kType, R, 1>(acc + r * d_pad + d, d_pad, p + r * ld_p, ld_p, v, d, n, d_pad);
  };
  for (; r + kValueRows <= rows; r += kValueRows) run.template operator()<kValueRows>();
  for (; r + 3 <= rows; r += 3) run.template operator()<3>();
  for (; r + 2 <= rows; r += 2) run.template operator()<2>();
  for (; r < rows; ++r) run.template operator()<1>();
}

// Keys [from, to). p: from key `first` on
template <KvType kType>
static void value_rows(float* acc, int64_t rows, const float* p, int64_t ld_p, const void* const* v_blocks,
                       int64_t first, int64_t from, int64_t to, int64_t d_pad) {
  const bool wide = kType != KvType::f32 && rows > kValueRows && d_pad <= kWideHead;
  WideBlock block;
  while (from < to) {
    const int64_t stop = (from / kKvBlock + 1) * kKvBlock < to ? (from / kKvBlock + 1) * kKvBlock : to;
    const void* v =
        static_cast<const char*>(v_blocks[from / kKvBlock]) + from % kKvBlock * kv_bytes(kType, d_pad);
    if (wide) {
      for (int64_t key = 0; key < stop - from; ++key)
        for (int64_t d = 0; d < d_pad; d += kLanes)
          store(block.x + key * d_pad + d,
                load_value<kType>(static_cast<const char*>(v) + key * kv_bytes(kType, d_pad), d, d_pad));
      value_block<KvType::f32>(acc, rows, p + from - first, ld_p, block.x, stop - from, d_pad);
    } else {
      value_block<kType>(acc, rows, p + from - first, ld_p, v, stop - from, d_pad);
    }
    from = stop;
  }
}

template <KvType kType>
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
      value_rows<kType>(acc + r * d_pad, 1, p + r * ld_p, ld_p, v_blocks, first,
                        clip(visible->lo[r], begin, end), clip(visible->hi[r] + 1, begin, from), d_pad);
    value_rows<kType>(acc, rows, p, ld_p, v_blocks, first, from, to, d_pad);
    for (int64_t r = 0; r < rows; ++r)
      value_rows<kType>(acc + r * d_pad, 1, p + r * ld_p, ld_p, v_blocks, first,
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
                               int64_t first, const void* const* v_blocks, int64_t d_head, KvType type,
                               float* acc) {
  with_type(type, [&]<KvType kType>() { values<kType>(z, p, ld_p, visible, first, v_blocks, d_head, acc); });
}
