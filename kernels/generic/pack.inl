// Planes of a packed tile. Per 32 columns of K: 256 bytes of nibbles (or 512 of bytes), lane r of each
// 64-byte vector holding 4 codes of output row r, as a 4-way byte dot product reads them.

// Vector j (0..3), lane r, byte b: low nibble column 4 j + b, high nibble column 16 + 4 j + b.
static inline void put_nibbles(uint8_t* plane, int lane, const uint8_t* codes /*[32]*/) {
  for (int j = 0; j < 4; ++j)
    for (int b = 0; b < 4; ++b)
      plane[64 * j + 4 * lane + b] =
          static_cast<uint8_t>((codes[4 * j + b] & 15) | ((codes[16 + 4 * j + b] & 15) << 4));
}

static inline void get_nibbles(i32x16* words /*[8]*/, const uint8_t* plane) {
  const i32x16 low = seti(0x0F0F0F0F);
  for (int j = 0; j < 4; ++j) {
    const i32x16 x = loadi(plane + 64 * j);
    words[j] = and16(x, low);
    words[4 + j] = and16(shr(x, 4), low);
  }
}

// Vector j (0..7), lane r, byte b: column 4 j + b.
static inline void put_bytes(uint8_t* plane, int lane, const uint8_t* codes /*[32]*/) {
  for (int j = 0; j < 8; ++j)
    for (int b = 0; b < 4; ++b) plane[64 * j + 4 * lane + b] = codes[4 * j + b];
}

// Two bits of each code from bit `from` on, 128 bytes: vector h (0, 1), lane r, bits 8 b + 2 j, + 1 belong to
// column 16 h + 4 j + b: one shift serves a whole word of 4 codes.
static inline void put_pairs(uint8_t* plane, int lane, const uint8_t* codes /*[32]*/, int from) {
  uint32_t words[2] = {0, 0};
  for (int i = 0; i < 32; ++i)
    words[i / 16] |= (static_cast<uint32_t>(codes[i] >> from) & 3u) << (8 * (i % 4) + 2 * (i % 16 / 4));
  for (int h = 0; h < 2; ++h) __builtin_memcpy(plane + 64 * h + 4 * lane, &words[h], 4);
}

static inline void get_pairs(i32x16* words /*[8]*/, const uint8_t* plane) {
  for (int h = 0; h < 2; ++h) {
    const i32x16 x = loadi(plane + 64 * h);
    for (int j = 0; j < 4; ++j) words[4 * h + j] = and16(shr(x, 2 * j), seti(0x03030303));
  }
}

// The 16 columns of one vector of such a plane join their words as bits N, N + 1.
template <int N, int J = 0>
static inline void or_pairs(i32x16* words /*[4]*/, i32x16 plane) {
  i32x16 moved;
  if constexpr (2 * J < N)
    moved = shl<N - 2 * J>(plane);
  else
    moved = shr(plane, 2 * J - N);
  words[J] = or16(words[J], and16(moved, seti(0x03030303 << N)));
  if constexpr (J < 3) or_pairs<N, J + 1>(words, plane);
}

// One bit of each code, 64 bytes: lane r, bit 8 b + j belongs to column 4 j + b.
static inline void put_bits(uint8_t* plane, int lane, const uint8_t* codes /*[32]*/, int bit) {
  uint32_t word = 0;
  for (int i = 0; i < 32; ++i) word |= (static_cast<uint32_t>(codes[i] >> bit) & 1u) << (8 * (i % 4) + i / 4);
  __builtin_memcpy(plane + 4 * lane, &word, 4);
}

// Such a plane joins the words as bit N.
template <int N, int J = 0>
static inline void or_bits(i32x16* words /*[8]*/, i32x16 plane) {
  i32x16 moved;
  if constexpr (J < N)
    moved = shl<N - J>(plane);
  else
    moved = shr(plane, J - N);
  words[J] = or16(words[J], and16(moved, seti(0x01010101 << N)));
  if constexpr (J < 7) or_bits<N, J + 1>(words, plane);
}

static inline f32x16 code_at(i32x16 word, int byte, int zero) {
  return to_float(sub(and16(shr(word, 8 * byte), seti(255)), seti(zero)));
}

static inline int64_t round_up_64(int64_t n) { return (n + 63) / 64 * 64; }

static inline void put_u16(uint8_t* plane, int64_t i, uint16_t v) { __builtin_memcpy(plane + 2 * i, &v, 2); }

// What a weight type needs of 32 activations beside their codes, in every lane.
struct RowBlock {
  f32x16 scale, sum, first_sum, second_sum, scaled_sum;
};
