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
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < M; ++r) acc[t][r] = set1(0.0f);
  const int64_t stride = Q::tile_bytes(cols);
  if constexpr (Q::coded) {
    for (int64_t b = 0; b < cols / kQBlock; ++b) {
      typename Q::Part part[T];
      for (int t = 0; t < T; ++t) part[t] = Q::load_part(tiles + t * stride, cols, b);
      const float* xb = x + b * kQBlock;
      for (int j = 0; j < 8; ++j)
        for (int byte = 0; byte < 4; ++byte)
          for (int t = 0; t < T; ++t) {
            const f32x16 w = Q::weight(part[t], part[t].codes[j], byte, j >= 4);
            for (int r = 0; r < M; ++r) acc[t][r] = fma(w, set1(xb[r * ld_x + 4 * j + byte]), acc[t][r]);
          }
    }
  } else {
    for (int64_t k = 0; k < cols; ++k)
      for (int t = 0; t < T; ++t) {
        const f32x16 w = Q::column(tiles + t * stride, k);
        for (int r = 0; r < M; ++r) acc[t][r] = fma(w, set1(x[r * ld_x + k]), acc[t][r]);
      }
  }
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < M; ++r) store_out(out + r * ld_out + t * kLanes, acc[t][r], n_out - t * kLanes);
}

// ---- int8: exact integer parts per block of 32, then one or two fma
template <class Q, int M, int T>
static void dot_int8(float* out, int64_t ld_out, const Int8Rows* x, int64_t row, const uint8_t* tiles,
                     int64_t cols, int64_t n_out) {
  f32x16 acc[T][M];
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < M; ++r) acc[t][r] = set1(0.0f);
  const int64_t stride = Q::tile_bytes(cols), blocks = cols / kQBlock;
  const int8_t* codes = x->codes + row * cols;
  const float* scale = x->scale + row * blocks;
  const int32_t* sums = x->sums + row * blocks * 2;
  for (int64_t b = 0; b < blocks; ++b)
    for (int t = 0; t < T; ++t) {
      const typename Q::Part part = Q::load_part(tiles + t * stride, cols, b);
      for (int r = 0; r < M; ++r)
        acc[t][r] = Q::accumulate(part, codes + r * cols + b * kQBlock, scale[r * blocks + b],
                                  sums + (r * blocks + b) * 2, acc[t][r]);
    }
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < M; ++r) store_out(out + r * ld_out + t * kLanes, acc[t][r], n_out - t * kLanes);
}

// Runs f<M, T>(row, tile) over all rows and tiles: M rows at a time as long as they fit, then 8, 4, 2, 1.
template <class F>
static inline void for_tiles(int64_t rows, int64_t tiles, F f) {
  for (int64_t t = 0; t < tiles;) {
    const bool wide = rows < 4 && t + 4 <= tiles;
    int64_t r = 0;
    for (; kMaxRows >= 16 && r + 16 <= rows; r += 16) f.template operator()<kMaxRows >= 16 ? 16 : 1, 1>(r, t);
    for (; kMaxRows >= 8 && r + 8 <= rows; r += 8) f.template operator()<kMaxRows >= 8 ? 8 : 1, 1>(r, t);
    for (; r + 4 <= rows; r += 4) f.template operator()<4, 1>(r, t);
    for (; r + 2 <= rows; r += 2)
      wide ? f.template operator()<2, 4>(r, t) : f.template operator()<2, 1>(r, t);
    for (; r < rows; ++r) wide ? f.template operator()<1, 4>(r, t) : f.template operator()<1, 1>(r, t);
    t += wide ? 4 : 1;
  }
}

template <class Q>
static void linear_f32(float* out, int64_t ld_out, const float* x, int64_t ld_x, const uint8_t* tiles,
                       int64_t rows, int64_t cols, int64_t n_out) {
  const int64_t stride = Q::tile_bytes(cols);
  for_tiles(rows, (n_out + kLanes - 1) / kLanes, [&]<int M, int T>(int64_t r, int64_t t) {
    dot_f32<Q, M, T>(out + r * ld_out + t * kLanes, ld_out, x + r * ld_x, ld_x, tiles + t * stride, cols,
                     n_out - t * kLanes);
  });
}

template <class Q>
static void linear_int8(float* out, int64_t ld_out, const Int8Rows* x, const uint8_t* tiles, int64_t rows,
                        int64_t cols, int64_t n_out) {
  const int64_t stride = Q::tile_bytes(cols);
  for_tiles(rows, (n_out + kLanes - 1) / kLanes, [&]<int M, int T>(int64_t r, int64_t t) {
    dot_int8<Q, M, T>(out + r * ld_out + t * kLanes, ld_out, x, r, tiles + t * stride, cols,
                      n_out - t * kLanes);
  });
}

// ---- a whole tile decoded, for embedding rows and for looking at weights
template <class Q>
static void decode_tile(float* out, const uint8_t* tile, int64_t cols) {
  if constexpr (Q::coded) {
    for (int64_t b = 0; b < cols / kQBlock; ++b) {
      const typename Q::Part part = Q::load_part(tile, cols, b);
      for (int j = 0; j < 8; ++j)
        for (int byte = 0; byte < 4; ++byte)
          store(out + (b * kQBlock + 4 * j + byte) * kLanes, Q::weight(part, part.codes[j], byte, j >= 4));
    }
  } else {
    for (int64_t k = 0; k < cols; ++k) store(out + k * kLanes, Q::column(tile, k));
  }
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
  q.decode_tile = decode_tile<Q>;
  q.linear_f32 = linear_f32<Q>;
  if constexpr (Q::coded) q.linear_int8 = linear_int8<Q>;
  return q;
}
