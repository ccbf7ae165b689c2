// MXFP4 (OCP Microscaling Formats 1.0): 32 weights, w[i] = d * values[q[i]]; d = 2^(e - 128), values are
// twice those of E2M1, so that they are integers. The specification reads e = 255 as NaN, GGUF as 2^127.
struct mxfp4 {
  struct Block {
    uint8_t e;
    uint8_t q[16];
  };  // q as in Q4_0
  static_assert(sizeof(Block) == 17, "a GGUF MXFP4 block is 17 bytes");
  static constexpr const char* name = "MXFP4";
  static constexpr int block = 32, block_bytes = 17;
  static constexpr bool coded = true;
  static constexpr int halves = 1;     // integer sums of a block of 32
  static constexpr float offset = 12;  // what codes are stored with

  static constexpr int8_t values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  // values + 12: what the words hold after unpacking.
  static constexpr uint8_t shifted[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

  // Tile: nibbles [cols / 32][256], then e [cols / 32][16].
  static int64_t tile_bytes(int64_t cols) { return round_up_64(cols / 32 * (256 + 16)); }
  struct Part {
    i32x16 codes[8];
    f32x16 d;
  };
  static Part load_part(const uint8_t* tile, int64_t cols, int64_t b) {
    Part p;
    get_nibbles(p.codes, tile + b * 256);
    for (i32x16& word : p.codes) word = lookup(word, shifted);
    // e >= 2 is the exponent field e - 1; 2^-128 and 2^-127 are the fraction bits 21 and 22. The larger of
    // both.
    const i32x16 e = load_u8(tile + cols * 8 + b * 16);
    p.d = from_bits(max16(shl<23>(sub(e, seti(1))), shl<21>(add(e, seti(1)))));
    return p;
  }
  static f32x16 weight(const Part& p, i32x16 word, int byte, bool) {
    return mul(p.d, code_at(word, byte, 12));
  }
  // |dot| <= 12 * 127 * 32 < 2^16.
  static i32x16 dot8(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) { return dot8_codes(acc, w0, w1, a); }
  static f32x16 accumulate(const Part& p, const f32x16* P, const RowBlock& x, f32x16 acc) {
    return fma(P[0], mul(p.d, x.scale), acc);
  }

  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t b = 0; b < n / 32; ++b, blocks += block_bytes, out += 32) {
      const uint32_t e = blocks[0], bits = e < 2 ? 0x00200000u << e : (e - 1) << 23;
      float d;
      __builtin_memcpy(&d, &bits, 4);
      for (int i = 0; i < 16; ++i) {
        out[i] = d * static_cast<float>(values[blocks[1 + i] & 15]);
        out[16 + i] = d * static_cast<float>(values[blocks[1 + i] >> 4]);
      }
    }
  }
  static void pack(uint8_t* tile, const uint8_t* const* rows, int64_t cols) {
    for_blocks(cols, [&](int r, int64_t b) {
      const uint8_t* p = rows[r] + b * block_bytes;
      put_nibbles(tile + b * 256, r, nibbles_of(p + 1));
      tile[cols * 8 + b * 16 + r] = p[0];
    });
  }
};
