// Linear layers over tiles of 16 output rows: one dot loop, templated on the weight type Q and on the number
// of activation rows M. A lane is an output row: nothing is summed across lanes, every output takes its K
// terms in ascending order by fma, so 1 row, 16 rows and a long prompt give the same bits.
//
// T tiles go side by side when M is small, to hide the latency of fma; each lane's order stays the same.

// ---- float32: weights decoded exactly in registers
template <class Q, int M, int T>
static void dot_f32(float* out, int64_t ld_out, const float* x, int64_t ld_x, const uint8_t* tiles,
                    int64_t cols, int64_t n_out) {
  f32x16 acc[T][M];
  UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < M; ++r) acc[t][r] = set1(0.0f);
  const int64_t stride = Q::tile_bytes(cols);
  if constexpr (Q::coded) {
    for (int64_t b = 0; b < cols / kQBlock; ++b) {
      typename Q::Part part[T];
      UNROLL for (int t = 0; t < T; ++t) part[t] = Q::load_part(tiles + t * stride, cols, b);
      const float* xb = x + b * kQBlock;
      for (int j = 0; j < 8; ++j)
        UNROLL for (int byte = 0; byte < 4; ++byte) UNROLL for (int t = 0; t < T; ++t) {
          const f32x16 w = Q::weight(part[t], part[t].codes[j], byte, j >= 4);
          UNROLL for (int r = 0; r < M; ++r) acc[t][r] = fma(w, set1(xb[r * ld_x + 4 * j + byte]), acc[t][r]);
        }
    }
  } else {
    for (int64_t k = 0; k < cols; ++k) UNROLL for (int t = 0; t < T; ++t) {
        const f32x16 w = Q::column(tiles + t * stride, k);
        UNROLL for (int r = 0; r < M; ++r) acc[t][r] = fma(w, set1(x[r * ld_x + k]), acc[t][r]);
      }
  }
  UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < M; ++r)
      store_out(out + r * ld_out + t * kLanes, acc[t][r], n_out - t * kLanes);
}

// ---- int8: exact integer parts per block of 32, then one or two fma
// Sums of codes that are stored with an offset begin at minus the offset times the activations' sum. Written
// once a call, so that a block begins with a load in place of ending with an fma.
template <class Q>
static inline void start_sums(const Int8Rows* x, int64_t rows, int64_t cols) {
  const int64_t n = (rows + x->group - 1) / x->group * x->group * (cols / kQBlock) * Q::halves;
  const float* sums = Q::halves == 2 ? x->half_sums : x->sum;
  const f32x16 zero = set1(12582912.0f);  // 1.5 * 2^23: a smaller integer added to it lies in the last bits
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    storei(x->start + i, sub(bits(fma(load(sums + i), set1(-Q::offset), zero)), bits(zero)));
  for (; i < n; ++i) x->start[i] = static_cast<int32_t>(-Q::offset * sums[i]);
}

// Adds a block's terms to M rows of T tiles. Words go in the outer loop, so that the sums of different rows,
// which do not wait for each other, follow one another.
template <class Q, int M, int T>
static inline void add_block(f32x16 (*acc)[M], const typename Q::Part* part, const Int8Rows* x,
                             const int64_t* at) {
  i32x16 dot[T][M][Q::halves];
  UNROLL for (int h = 0; h < Q::halves; ++h) {
    constexpr int kWords = 8 / Q::halves;
    UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < M; ++r) dot[t][r][h] =
        seti(Q::offset != 0 ? x->start[at[r] * Q::halves + h] : 0);
    UNROLL for (int j = h * kWords; j < (h + 1) * kWords; j += 2) UNROLL for (int t = 0; t < T; ++t)
        UNROLL for (int r = 0; r < M; ++r) dot[t][r][h] =
            Q::dot8(dot[t][r][h], part[t].codes[j], part[t].codes[j + 1], x->codes + at[r] * kQBlock + 4 * j);
  }
  UNROLL for (int r = 0; r < M; ++r) {
    const RowBlock block = {set1(x->scale[at[r]]), set1(x->half_sums[2 * at[r]]),
                            set1(x->half_sums[2 * at[r] + 1]), set1(x->scaled_sum[at[r]])};
    UNROLL for (int t = 0; t < T; ++t) {
      f32x16 P[Q::halves];
      UNROLL for (int h = 0; h < Q::halves; ++h) P[h] = to_float(dot[t][r][h]);
      acc[t][r] = Q::accumulate(part[t], P, block, acc[t][r]);
    }
  }
}

template <class Q, int M, int T>
static void dot_int8(float* out, int64_t ld_out, const Int8Rows* x, int64_t row, const uint8_t* tiles,
                     int64_t cols, int64_t n_out) {
  f32x16 acc[T][M];
  UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < M; ++r) acc[t][r] = set1(0.0f);
  const int64_t stride = Q::tile_bytes(cols), blocks = cols / kQBlock;
  const int64_t start = int8_at(x->group, row, 0, blocks), group_step = blocks * kRowGroup;
  for (int64_t b = 0; b < blocks; ++b) {
    typename Q::Part part[T];
    UNROLL for (int t = 0; t < T; ++t) part[t] = Q::load_part(tiles + t * stride, cols, b);
    int64_t at[M];
    UNROLL for (int r = 0; r < M; ++r) at[r] =
        start + b * x->group + r / kRowGroup * group_step + r % kRowGroup;
    add_block<Q, M, T>(acc, part, x, at);
  }
  UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < M; ++r)
      store_out(out + r * ld_out + t * kLanes, acc[t][r], n_out - t * kLanes);
}

// Runs f<M, T>(row, tile) over all rows and tiles, 4 tiles at a time: they stay in L1 while all rows pass,
// and a row's outputs fill whole cache lines. kMost rows at a time as long as they fit, then 8, 4, 2, 1.
template <int kMost, class F>
static inline void for_tiles(int64_t rows, int64_t tiles, F f) {
  constexpr int kStrip = 4;
  for (int64_t t = 0; t < tiles; t += kStrip) {
    const int64_t n = tiles - t < kStrip ? tiles - t : kStrip;
    const auto strip = [&]<int M, int T>(int64_t r) {
      if (n == kStrip)
        for (int i = 0; i < kStrip; i += T) f.template operator()<M, T>(r, t + i);
      else
        for (int64_t i = 0; i < n; ++i) f.template operator()<M, 1>(r, t + i);
    };
    int64_t r = 0;
    if constexpr (kMost >= 16)
      for (; r + 16 <= rows; r += 16) strip.template operator()<16, 1>(r);
    if constexpr (kMost >= 8)
      for (; r + 8 <= rows; r += 8) strip.template operator()<8, 1>(r);
    for (; r + 4 <= rows; r += 4) strip.template operator()<4, kMaxRows / 4>(r);
    for (; r + 2 <= rows; r += 2) strip.template operator()<2, 4>(r);
    for (; r < rows; ++r) strip.template operator()<1, 4>(r);
  }
}

// ---- columns [from, to) of a tile decoded: [to - from, 16]; coded types by whole blocks
template <class Q>
static inline void decode_columns(float* out, const uint8_t* tile, int64_t cols, int64_t from, int64_t to) {
  if constexpr (Q::coded) {
    for (int64_t b = from / kQBlock; b < to / kQBlock; ++b) {
      const typename Q::Part part = Q::load_part(tile, cols, b);
      UNROLL for (int j = 0; j < 8; ++j) UNROLL for (int byte = 0; byte < 4; ++byte, out += kLanes)
          store(out, Q::weight(part, part.codes[j], byte, j >= 4));
    }
  } else {
    for (int64_t k = from; k < to; ++k, out += kLanes) store(out, Q::column(tile, k));
  }
}

template <class Q>
static void decode_tile(float* out, const uint8_t* tile, int64_t cols) {
  decode_columns<Q>(out, tile, cols, 0, cols);
}

// ---- float32, many rows: columns of a few tiles are decoded once, into L1, and all rows pass over them.
// Between two runs of columns the sums wait in `out`.
constexpr int64_t kColumnRun = 128;

// out[r] += x[r] . w for M rows, T tiles and n columns. w: [T, kColumnRun, 16]
template <int M, int T>
static inline void add_columns(float* out, int64_t ld_out, const float* x, int64_t ld_x, const float* w,
                               int64_t n, bool first, int64_t n_out) {
  f32x16 acc[T][M];
  UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < M; ++r) acc[t][r] =
      first ? set1(0.0f) : load_out(out + r * ld_out + t * kLanes, n_out - t * kLanes);
  const float* row[M];
  UNROLL for (int r = 0; r < M; ++r) row[r] = x + r * ld_x;
  for (int64_t k = 0; k < n; ++k) {
    f32x16 column[T];
    UNROLL for (int t = 0; t < T; ++t) column[t] = load(w + (t * kColumnRun + k) * kLanes);
    UNROLL for (int r = 0; r < M; ++r) {
      const f32x16 v = set1(row[r][k]);
      UNROLL for (int t = 0; t < T; ++t) acc[t][r] = fma(column[t], v, acc[t][r]);
    }
  }
  UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < M; ++r)
      store_out(out + r * ld_out + t * kLanes, acc[t][r], n_out - t * kLanes);
}

template <class Q, int T>
static void linear_f32_strip(float* out, int64_t ld_out, const float* x, int64_t ld_x, const uint8_t* tiles,
                             int64_t rows, int64_t cols, int64_t n_out) {
  alignas(64) float w[T * kColumnRun * kLanes];
  for (int64_t k = 0; k < cols; k += kColumnRun) {
    const int64_t n = cols - k < kColumnRun ? cols - k : kColumnRun;
    for (int t = 0; t < T; ++t)
      decode_columns<Q>(w + t * kColumnRun * kLanes, tiles + t * Q::tile_bytes(cols), cols, k, k + n);
    int64_t r = 0;
    const auto pass = [&]<int M>() {
      for (; r + M <= rows; r += M)
        add_columns<M, T>(out + r * ld_out, ld_out, x + r * ld_x + k, ld_x, w, n, k == 0, n_out);
    };
    pass.template operator()<kF32Rows>();
    pass.template operator()<4>();
    pass.template operator()<1>();
  }
}

template <class Q>
static void linear_f32(float* out, int64_t ld_out, const float* x, int64_t ld_x, const uint8_t* tiles,
                       int64_t rows, int64_t cols, int64_t n_out) {
  const int64_t stride = Q::tile_bytes(cols), n_tiles = (n_out + kLanes - 1) / kLanes;
  if (rows >= kF32Rows) {
    int64_t t = 0;
    for (; t + kF32Tiles <= n_tiles; t += kF32Tiles)
      linear_f32_strip<Q, kF32Tiles>(out + t * kLanes, ld_out, x, ld_x, tiles + t * stride, rows, cols,
                                     n_out - t * kLanes);
    for (; t < n_tiles; ++t)
      linear_f32_strip<Q, 1>(out + t * kLanes, ld_out, x, ld_x, tiles + t * stride, rows, cols,
                             n_out - t * kLanes);
    return;
  }
  for_tiles<4>(rows, n_tiles, [&]<int M, int T>(int64_t r, int64_t t) {
    dot_f32<Q, M, T>(out + r * ld_out + t * kLanes, ld_out, x + r * ld_x, ld_x, tiles + t * stride, cols,
                     n_out - t * kLanes);
  });
}

template <class Q>
static void linear_int8(float* out, int64_t ld_out, const Int8Rows* x, const uint8_t* tiles, int64_t rows,
                        int64_t cols, int64_t n_out) {
  const int64_t stride = Q::tile_bytes(cols);
  if constexpr (Q::offset != 0) start_sums<Q>(x, rows, cols);
  for_tiles<kMaxRows>(rows, (n_out + kLanes - 1) / kLanes, [&]<int M, int T>(int64_t r, int64_t t) {
    dot_int8<Q, M, T>(out + r * ld_out + t * kLanes, ld_out, x, r, tiles + t * stride, cols,
                      n_out - t * kLanes);
  });
}

template <class Q>
static constexpr Quant quant_entry() {
  Quant q{};
  q.name = Q::name;
  q.block = Q::block;
  q.block_bytes = Q::block_bytes;
  q.integer = Q::coded;
  q.tile_bytes = Q::tile_bytes;
  q.pack = Q::pack;
  q.decode = Q::decode;
  if constexpr (requires { &Q::encode; }) q.encode = Q::encode;
  q.decode_tile = decode_tile<Q>;
  q.linear_f32 = linear_f32<Q>;
  if constexpr (Q::coded) q.linear_int8 = linear_int8<Q>;
  return q;
}
