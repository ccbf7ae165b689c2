// IQ4_NL: 32 weights, w[i] = d * values[q[i]]: 16 levels that lie closer together near zero.
struct iq4_nl {
  struct Block {
    uint8_t d[2];
    uint8_t q[16];
  };  // f16 d; q as in Q4_0
  static_assert(sizeof(Block) == 18, "a GGUF IQ4_NL block is 18 bytes");
  static constexpr const char* name = "IQ4_NL";
  static constexpr int block = 32, block_bytes = 18;
  static constexpr bool coded = true;
  static constexpr int halves = 1;  // integer sums of a block of 32
  static constexpr float offset = kByteZero;

  static constexpr int8_t values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                        1,    13,   25,  38,  53,  69,  89,  113};
  // values + 128: what the words hold after unpacking.
  static constexpr uint8_t shifted[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                          129, 141, 153, 166, 181, 197, 217, 241};

  // Tile: nibbles [cols / 32][256], then f16 d [cols / 32][16].
  static int64_t tile_bytes(int64_t cols) { return round_up_64(cols / 32 * (256 + 32)); }
  struct Part {
    i32x16 codes[8];
    f32x16 d;
  };
  static Part load_part(const uint8_t* tile, int64_t cols, int64_t b) {
    Part p;
    get_nibbles(p.codes, tile + b * 256);
    for (i32x16& word : p.codes) word = lookup(word, shifted);
    p.d = load_half(tile + cols * 8 + b * 32);
    return p;
  }
  static f32x16 weight(const Part& p, i32x16 word, int byte, bool) {
    return mul(p.d, code_at(word, byte, 128));
  }
  // |dot| <= 127 * 127 * 32 < 2^19.
  static i32x16 dot8(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) { return dot8_bytes(acc, w0, w1, a); }
  static f32x16 accumulate(const Part& p, const f32x16* P, const RowBlock& x, f32x16 acc) {
    return fma(P[0], mul(p.d, x.scale), acc);
  }

  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t b = 0; b < n / 32; ++b, blocks += block_bytes, out += 32) {
      const float d = half_to_float(read_u16(blocks));
      for (int i = 0; i < 16; ++i) {
        out[i] = d * static_cast<float>(values[blocks[2 + i] & 15]);
        out[16 + i] = d * static_cast<float>(values[blocks[2 + i] >> 4]);
      }
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
