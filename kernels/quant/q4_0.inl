// Q4_0: 32 weights, w[i] = d * (q[i] - 8).
struct q4_0 {
  struct Block {
    uint8_t d[2];
    uint8_t q[16];
  };  // f16 d; q: low nibbles are weights 0..15, high nibbles 16..31
  static_assert(sizeof(Block) == 18, "a GGUF Q4_0 block is 18 bytes");
  static constexpr const char* name = "Q4_0";
  static constexpr int block = 32, block_bytes = 18;
  static constexpr bool coded = true;
  static constexpr int halves = 1;    // integer sums of a block of 32
  static constexpr float offset = 8;  // what codes are stored with

  // Tile: nibbles [cols / 32][256], then f16 d [cols / 32][16].
  static int64_t tile_bytes(int64_t cols) { return round_up_64(cols / 32 * (256 + 32)); }
  struct Part {
    i32x16 codes[8];
    f32x16 d;
  };
  static Part load_part(const uint8_t* tile, int64_t cols, int64_t b) {
    Part p;
    get_nibbles(p.codes, tile + b * 256);
    p.d = load_half(tile + cols * 8 + b * 32);
    return p;
  }
  static f32x16 weight(const Part& p, i32x16 word, int byte, bool) {
    return mul(p.d, code_at(word, byte, 8));
  }
  static i32x16 dot8(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) { return dot8_codes(acc, w0, w1, a); }
  static f32x16 accumulate(const Part& p, const f32x16* P, const RowBlock& x, f32x16 acc) {
    return fma(P[0], mul(p.d, x.scale), acc);
  }

  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t b = 0; b < n / 32; ++b, blocks += block_bytes, out += 32) {
      const float d = half_to_float(read_u16(blocks));
      for (int i = 0; i < 16; ++i) {
        out[i] = d * static_cast<float>((blocks[2 + i] & 15) - 8);
        out[16 + i] = d * static_cast<float>((blocks[2 + i] >> 4) - 8);
      }
    }
  }
  static void encode(uint8_t* blocks, const float* x, int64_t n) {
    for (int64_t b = 0; b < n / 32; ++b, blocks += block_bytes, x += 32) {
      uint8_t codes[32];
      write_u16(blocks, float_to_half(encode_symmetric(codes, x, 8)));
      for (int i = 0; i < 16; ++i) blocks[2 + i] = codes[i] | codes[16 + i] << 4;
    }
  }
  static void pack(uint8_t* tile, const uint8_t* const* rows, int64_t cols) {
    for_blocks(cols, [&](int r, int64_t b) {
      const uint8_t* p = rows[r] + b * block_bytes;
      put_nibbles(tile + b * 256, r, nibbles_of(p + 2));
      put_u16(tile + cols * 8, b * kLanes + r, read_u16(p));
    });
  }
};
