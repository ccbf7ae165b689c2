// Q3_K: 256 weights in 16 sub-blocks of 16, w[i] = (d * (scale - 32)) * (q[i] - 4); scale: 6 bits, q: 3 bits.
struct q3_k {
  struct Block {
    uint8_t high[32];  // bit s of byte i is bit 2 of weight 32 s + i
    uint8_t q[64];
    uint8_t scales[12];
    uint8_t d[2];
  };
  static_assert(sizeof(Block) == 110, "a GGUF Q3_K block is 110 bytes");
  static constexpr const char* name = "Q3_K";
  static constexpr int block = 256, block_bytes = 110;
  static constexpr bool coded = true;
  static constexpr int halves = 2;    // integer sums of a block of 32
  static constexpr float offset = 4;  // what codes are stored with

  // Tile: pairs of bits [cols / 32][128]; third bits [cols / 32][64]; scale - 32 of the two halves
  // [cols / 32][2][16] signed bytes; f16 d [cols / 256][16].
  static int64_t tile_bytes(int64_t cols) {
    return round_up_64(cols / 32 * (128 + 64 + 32) + cols / 256 * 32);
  }
  struct Part {
    i32x16 codes[8];
    f32x16 scale[2];  // integers
    f32x16 d;
  };
  static Part load_part(const uint8_t* tile, int64_t cols, int64_t b) {
    Part p;
    get_pairs(p.codes, tile + b * 128);
    or_bits<2>(p.codes, loadi(tile + cols * 4 + b * 64));
    for (int h = 0; h < 2; ++h) p.scale[h] = to_float(load_s8(tile + cols * 6 + b * 32 + h * 16));
    p.d = load_half(tile + cols * 7 + b / 8 * 32);
    return p;
  }
  static f32x16 weight(const Part& p, i32x16 word, int byte, bool second) {
    return mul(mul(p.d, p.scale[second]), code_at(word, byte, 4));
  }
  // |sum of scale * dot| <= 32 * 4 * 127 * 32 < 2^19.
  static i32x16 dot8(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) { return dot8_codes(acc, w0, w1, a); }
  static f32x16 accumulate(const Part& p, const f32x16* P, const RowBlock& x, f32x16 acc) {
    const f32x16 sum = fma(P[1], p.scale[1], fma(P[0], p.scale[0], set1(0.0f)));
    return fma(sum, mul(p.d, x.scale), acc);
  }

  // Weight i of the block: the low bits lie as in Q2_K.
  static uint8_t code(const uint8_t* p, int i) {
    const int low = (p[32 + i / 128 * 32 + i % 32] >> (2 * (i % 128 / 32))) & 3;
    return static_cast<uint8_t>(low | ((p[i % 32] >> (i / 32)) & 1) << 2);
  }
  // Sub-block s: 4 low bits out of the first 8 of the 12 packed bytes, 2 high bits out of the last 4.
  static int8_t scale(const uint8_t* p, int s) {
    const uint8_t* packed = p + 96;
    const int low = s < 8 ? packed[s] & 15 : packed[s - 8] >> 4;
    return static_cast<int8_t>((low | ((packed[8 + s % 4] >> (2 * (s / 4))) & 3) << 4) - 32);
  }
  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t b = 0; b < n / 256; ++b, blocks += block_bytes) {
      const float d = half_to_float(read_u16(blocks + 108));
      for (int i = 0; i < 256; ++i)
        *out++ = d * static_cast<float>(scale(blocks, i / 16)) * static_cast<float>(code(blocks, i) - 4);
    }
  }
  static void pack(uint8_t* tile, const uint8_t* const* rows, int64_t cols) {
    for_blocks(cols, [&](int r, int64_t b) {
      const uint8_t* p = rows[r] + b / 8 * block_bytes;
      const int s = static_cast<int>(b % 8);
      put_pairs(tile + b * 128, r, fields_of(p + 32 + s / 4 * 32, 2 * (s % 4), 3));
      put_bits(tile + cols * 4 + b * 64, r, fields_of(p, s, 1));
      for (int h = 0; h < 2; ++h)
        tile[cols * 6 + b * 32 + h * 16 + r] = static_cast<uint8_t>(scale(p, 2 * s + h));
      if (s == 0) put_u16(tile + cols * 7, b / 8 * kLanes + r, read_u16(p + 108));
    });
  }
};
