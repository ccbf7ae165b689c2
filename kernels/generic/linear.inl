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

// The places of block b of M rows: one by one where a row lies by itself.
template <int M>
static inline void block_places(int64_t* at /*[M]*/, const Int8Rows* x, int64_t row, int64_t b,
                                int64_t blocks) {
  const int64_t first = int8_at(x->group, row, b, blocks), group_step = blocks * kRowGroup;
  UNROLL for (int r = 0; r < M; ++r) at[r] = first + r / kRowGroup * group_step + r % kRowGroup;
}

// Few rows: weights are decoded in registers.
template <class Q, int M, int T>
static void dot_int8(float* out, int64_t ld_out, const Int8Rows* x, int64_t row, const uint8_t* tiles,
                     int64_t cols, int64_t n_out) {
  f32x16 acc[T][M];
  UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < M; ++r) acc[t][r] = set1(0.0f);
  const int64_t stride = Q::tile_bytes(cols), blocks = cols / kQBlock;
  for (int64_t b = 0; b < blocks; ++b) {
    typename Q::Part part[T];
    UNROLL for (int t = 0; t < T; ++t) part[t] = Q::load_part(tiles + t * stride, cols, b);
    int64_t at[M];
    block_places<M>(at, x, row, b, blocks);
    add_block<Q, M, T>(acc, part, x, at);
  }
  UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < M; ++r)
      store_out(out + r * ld_out + t * kLanes, acc[t][r], n_out - t * kLanes);
}

// Runs f<M, T>(row, tile) over all rows and tiles, 4 tiles at a time: they stay in L1 while all rows pass,
// and a row's outputs fill whole cache lines. 8 rows at a time where so many sums fit (kMost), then 4, 2, 1.
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
    if constexpr (kMost >= 8)
      for (; r + 8 <= rows; r += 8) strip.template operator()<8, 1>(r);
    for (; r + 4 <= rows; r += 4) strip.template operator()<4, kInt8Rows * kInt8Tiles / 4>(r);
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

// ---- int8, many rows: blocks of a few tiles are unpacked once, into L1, and all rows pass over them.
// Between two runs of blocks the sums wait there, too: rows of `out` may lie a power of two apart, and would
// push each other out of the cache.
constexpr int64_t kBlockRun = 8, kRowRun = 64, kManyRows = 16;

// Asks for n bytes from `begin` on, a line or two at a time: unpacking comes in bursts, which memory must not
// wait for, and many requests at once wait for each other.
struct Ahead {
  const uint8_t* begin;
  int64_t n, step, at = 0;
  void go() {
    for (const int64_t end = at + step < n ? at + step : n; at < end; at += 64)
      __builtin_prefetch(begin + at, 0, 2);
  }
};

// sums[t][r] += the products of n blocks, from block `from` on, of M rows with T tiles.
template <class Q, int M, int T>
static inline void add_blocks(f32x16 (*sums)[M] /*[T]*/, const Int8Rows* x, int64_t row,
                              const typename Q::Part (*parts)[T] /*[n]*/, int64_t from, int64_t n,
                              int64_t blocks, Ahead& ahead) {
  f32x16 acc[T][M];
  UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < M; ++r) acc[t][r] = sums[t][r];
  for (int64_t b = 0; b < n; ++b) {
    int64_t at[M];
    block_places<M>(at, x, row, from + b, blocks);
    add_block<Q, M, T>(acc, parts[b], x, at);
    ahead.go();
  }
  UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < M; ++r) sums[t][r] = acc[t][r];
}

// Rows [row, row + rows) of T tiles; rows: a multiple of M, at most kRowRun.
template <class Q, int M, int T>
static void linear_int8_strip(float* out, int64_t ld_out, const Int8Rows* x, int64_t row, int64_t rows,
                              const uint8_t* tiles, int64_t cols, int64_t n_out, Ahead ahead) {
  const int64_t stride = Q::tile_bytes(cols), blocks = cols / kQBlock;
  typename Q::Part parts[kBlockRun][T];
  f32x16 sums[kRowRun / M][T][M];
  for (int64_t g = 0; g < rows / M; ++g)
    for (int t = 0; t < T; ++t)
      for (int r = 0; r < M; ++r) sums[g][t][r] = set1(0.0f);
  ahead.step = (ahead.n / (blocks * (rows / M)) + 63) / 64 * 64;
  for (int64_t from = 0; from < blocks; from += kBlockRun) {
    const int64_t n = blocks - from < kBlockRun ? blocks - from : kBlockRun;
    for (int64_t b = 0; b < n; ++b)
      for (int t = 0; t < T; ++t) parts[b][t] = Q::load_part(tiles + t * stride, cols, from + b);
    for (int64_t g = 0; g < rows / M; ++g)
      add_blocks<Q, M, T>(sums[g], x, row + g * M, parts, from, n, blocks, ahead);
  }
  for (int64_t g = 0; g < rows / M; ++g)
    for (int t = 0; t < T; ++t)
      for (int r = 0; r < M; ++r)
        store_out(out + (g * M + r) * ld_out + t * kLanes, sums[g][t][r], n_out - t * kLanes);
}

template <class Q>
static void linear_int8(float* out, int64_t ld_out, const Int8Rows* x, const uint8_t* tiles, int64_t rows,
                        int64_t cols, int64_t n_out) {
  const int64_t stride = Q::tile_bytes(cols), n_tiles = (n_out + kLanes - 1) / kLanes;
  if constexpr (Q::offset != 0) start_sums<Q>(x, rows, cols);
  // [0, many) x [0, strips) by strips, what is beside and below it as few rows.
  const int64_t many = rows < kManyRows ? 0 : rows / kInt8Rows * kInt8Rows,
                strips = many ? n_tiles / kInt8Tiles * kInt8Tiles : 0;
  for (int64_t r = 0; r < many; r += kRowRun) {
    const int64_t n = many - r < kRowRun ? many - r : kRowRun;
    for (int64_t t = 0; t < strips; t += kInt8Tiles) {
      const uint8_t* strip = tiles + t * stride;
      const Ahead ahead = {strip + kInt8Tiles * stride, t + kInt8Tiles < strips ? kInt8Tiles * stride : 0, 0};
      linear_int8_strip<Q, kInt8Rows, kInt8Tiles>(out + r * ld_out + t * kLanes, ld_out, x, r, n, strip, cols,
                                                  n_out - t * kLanes, ahead);
    }
  }
  const auto few = [&](int64_t row, int64_t n_rows, int64_t tile) {
    for_tiles<kInt8Rows>(n_rows, n_tiles - tile, [&]<int M, int T>(int64_t r, int64_t t) {
      dot_int8<Q, M, T>(out + (row + r) * ld_out + (tile + t) * kLanes, ld_out, x, row + r,
                        tiles + (tile + t) * stride, cols, n_out - (tile + t) * kLanes);
    });
  };
  few(0, many, strips);
  few(many, rows - many, 0);
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
