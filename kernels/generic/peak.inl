// What this machine could do: the arithmetic of linear layers on registers alone, and reading.

// `rounds` times one fma on each lane of a register block of float32. lanes: [16], read and written.
static void k_peak_f32(float* lanes, int64_t rounds) {
  constexpr int kChains = kF32Rows * kF32Tiles;
  f32x16 acc[kChains];
  const f32x16 x = load(lanes);
  UNROLL for (int i = 0; i < kChains; ++i) acc[i] = set1(static_cast<float>(i));  // equal chains would be one
  for (int64_t k = 0; k < rounds; ++k) UNROLL for (int i = 0; i < kChains; ++i) acc[i] = fma(x, x, acc[i]);
  f32x16 sum = acc[0];
  UNROLL for (int i = 1; i < kChains; ++i) sum = add(sum, acc[i]);
  store(lanes, sum);
}

// `rounds` times 8 products on each lane of the int8 sums of a register block, of activations of its own
// each. lanes: [16], read and written. The words change from round to round, or their products would be taken
// out of the loop.
static void k_peak_int8(int32_t* lanes, int64_t rounds) {
  constexpr int kSums = kInt8Rows * kInt8Tiles;
  i32x16 acc[kSums], word = loadi(reinterpret_cast<const uint8_t*>(lanes));
  int8_t a[kSums][8];
  for (int i = 0; i < kSums; ++i)
    for (int b = 0; b < 8; ++b) a[i][b] = static_cast<int8_t>(3 * i + b - 20);
  UNROLL for (int i = 0; i < kSums; ++i) acc[i] = seti(i);
  for (int64_t k = 0; k < rounds; ++k) {
    word = and16(add(word, seti(0x01010101)), seti(0x3F3F3F3F));
    UNROLL for (int i = 0; i < kSums; ++i) acc[i] = dot8_codes(acc[i], word, word, a[i]);
  }
  i32x16 sum = acc[0];
  UNROLL for (int i = 1; i < kSums; ++i) sum = add(sum, acc[i]);
  storei(lanes, sum);
}

// Reads n bytes, a multiple of 256. lanes: [16], written.
static void k_peak_read(int32_t* lanes, const uint8_t* data, int64_t n) {
  i32x16 sum[4];
  UNROLL for (int i = 0; i < 4; ++i) sum[i] = seti(0);
  for (int64_t at = 0; at < n; at += 256)
    UNROLL for (int i = 0; i < 4; ++i) sum[i] = add(sum[i], loadi(data + at + 64 * i));
  storei(lanes, add(add(sum[0], sum[1]), add(sum[2], sum[3])));
}
