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

static inline f32x16 code_at(i32x16 word, int byte, int zero) {
  return to_float(sub(and16(shr(word, 8 * byte), seti(255)), seti(zero)));
}

static inline int64_t round_up_64(int64_t n) { return (n + 63) / 64 * 64; }

static inline void put_u16(uint8_t* plane, int64_t i, uint16_t v) { __builtin_memcpy(plane + 2 * i, &v, 2); }

// What a weight type needs of 32 activations beside their codes, in every lane.
struct RowBlock {
  f32x16 scale, sum, first_sum, second_sum, scaled_sum;
};
