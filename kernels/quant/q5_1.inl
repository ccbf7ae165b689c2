// Q5_1: 32 weights, w[i] = d * q[i] + m; the fifth bits of all 32 stand in one word.
struct q5_1 {
  struct Block {
    uint8_t d[2], m[2];
    uint8_t high[4];
    uint8_t q[16];
  };  // f16 d, m; high and q as in Q5_0
  static_assert(sizeof(Block) == 24, "a GGUF Q5_1 block is 24 bytes");
  static constexpr const char* name = "Q5_1";
  static constexpr int block = 32, block_bytes = 24;
  static constexpr bool coded = true;
  static constexpr int halves = 1;  // integer sums of a block of 32
  static constexpr float offset = 0;

  // Tile: nibbles [cols / 32][256], fifth bits [cols / 32][64], then per 32 columns f16 d [16], m [16].
  static int64_t tile_bytes(int64_t cols) { return cols / 32 * (256 + 64 + 64); }
  struct Part {
    i32x16 codes[8];
    f32x16 d, m;
  };
  static Part load_part(const uint8_t* tile, int64_t cols, int64_t b) {
    Part p;
    get_nibbles(p.codes, tile + b * 256);
    or_bits<4>(p.codes, loadi(tile + cols * 8 + b * 64));
    p.d = load_half(tile + cols * 10 + b * 64);
    p.m = load_half(tile + cols * 10 + b * 64 + 32);
    return p;
  }
  static f32x16 weight(const Part& p, i32x16 word, int byte, bool) {
    return add(mul(p.d, code_at(word, byte, 0)), p.m);
  }
  static i32x16 dot8(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) { return dot8_codes(acc, w0, w1, a); }
  static f32x16 accumulate(const Part& p, const f32x16* P, const RowBlock& x, f32x16 acc) {
    acc = fma(P[0], mul(p.d, x.scale), acc);
    return fma(p.m, x.scaled_sum, acc);
  }

  static uint8_t code(const uint8_t* p, int i) {  // weight i of the block at p, 0..31
    const int nibble = i < 16 ? p[8 + i] & 15 : p[8 + i - 16] >> 4;
    return static_cast<uint8_t>(nibble | ((p[4 + i / 8] >> (i % 8)) & 1) << 4);
  }
  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t b = 0; b < n / 32; ++b, blocks += block_bytes, out += 32) {
      const float d = half_to_float(read_u16(blocks)), m = half_to_float(read_u16(blocks + 2));
      for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(code(blocks, i)) + m;
    }
  }
  static void pack(uint8_t* tile, const uint8_t* const* rows, int64_t cols) {
    for_blocks(cols, [&](int r, int64_t b) {
      const uint8_t* p = rows[r] + b * block_bytes;
      put_nibbles(tile + b * 256, r, nibbles_of(p + 8));
      put_bit_word(tile + cols * 8 + b * 64, r, word_at(p + 4));
      put_u16(tile + cols * 10, b * 32 + r, read_u16(p));
      put_u16(tile + cols * 10, b * 32 + 16 + r, read_u16(p + 2));
    });
  }
};
