// Q6_K: 256 weights in 16 sub-blocks of 16, w[i] = (d * scale) * (q[i] - 32); scale: signed byte.
struct q6_k {
  struct Block {
    uint8_t low[128], high[64];
    int8_t scales[16];
    uint8_t d[2];
  };
  static_assert(sizeof(Block) == 210, "a GGUF Q6_K block is 210 bytes");
  static constexpr const char* name = "Q6_K";
  static constexpr int block = 256, block_bytes = 210;
  static constexpr bool coded = true;
  static constexpr int halves = 2;     // integer sums of a block of 32
  static constexpr float offset = 32;  // what codes are stored with

  // Tile: nibbles [cols / 32][256]; high pairs of bits [cols / 32][128]; scales of the two halves
  // [cols / 32][2][16] signed bytes; f16 d [cols / 256][16].
  static int64_t tile_bytes(int64_t cols) {
    return round_up_64(cols / 32 * (256 + 128 + 32) + cols / 256 * 32);
  }
  struct Part {
    i32x16 codes[8];
    f32x16 scale[2];  // integers
    f32x16 d;
  };
  static Part load_part(const uint8_t* tile, int64_t cols, int64_t b) {
    Part p;
    get_nibbles(p.codes, tile + b * 256);
    for (int h = 0; h < 2; ++h) {
      or_pairs<4>(p.codes + 4 * h, loadi(tile + cols * 8 + b * 128 + h * 64));
      p.scale[h] = to_float(load_s8(tile + cols * 12 + b * 32 + h * 16));
    }
    p.d = load_half(tile + cols * 13 + b / 8 * 32);
    return p;
  }
  static f32x16 weight(const Part& p, i32x16 word, int byte, bool second) {
    return mul(mul(p.d, p.scale[second]), code_at(word, byte, 32));
  }
  // |sum of scale * dot| <= 2 * 128 * 32 * 127 * 16 = 16,646,144 < 2^24: exact as a float.
  static i32x16 dot8(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) { return dot8_codes(acc, w0, w1, a); }
  static f32x16 accumulate(const Part& p, const f32x16* P, const RowBlock& x, f32x16 acc) {
    const f32x16 sum = fma(P[1], p.scale[1], fma(P[0], p.scale[0], set1(0.0f)));
    return fma(sum, mul(p.d, x.scale), acc);
  }

  // Weight i of the block: halves of 128, each 4 runs of 32 that share 64 low bytes and 32 high bytes.
  static int code(const uint8_t* p, int i) {
    const int half = i / 128, run = i % 128 / 32, at = i % 32;
    const uint8_t low = p[64 * half + 32 * (run % 2) + at], high = p[128 + 32 * half + at];
    return (run < 2 ? low & 15 : low >> 4) | (((high >> (2 * run)) & 3) << 4);
  }
  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t b = 0; b < n / 256; ++b, blocks += block_bytes) {
      const float d = half_to_float(read_u16(blocks + 208));
      for (int i = 0; i < 256; ++i) {
        const float scale = d * static_cast<float>(static_cast<int8_t>(blocks[192 + i / 16]));
        *out++ = scale * static_cast<float>(code(blocks, i) - 32);
      }
    }
  }
  static void pack(uint8_t* tile, const uint8_t* const* rows, int64_t cols) {
    for_blocks(cols, [&](int r, int64_t b) {
      const uint8_t* p = rows[r] + b / 8 * block_bytes;
      const int s = static_cast<int>(b % 8);
      const int half = s / 4, run = s % 4;
      put_nibbles(tile + b * 256, r, fields_of(p + 64 * half + 32 * (run % 2), run < 2 ? 0 : 4, 15));
      put_pairs(tile + cols * 8 + b * 128, r, fields_of(p + 128 + 32 * half, 2 * run, 3));
      for (int h = 0; h < 2; ++h) tile[cols * 12 + b * 32 + h * 16 + r] = p[192 + 2 * s + h];
      if (s == 0) put_u16(tile + cols * 13, b / 8 * kLanes + r, read_u16(p + 208));
    });
  }
};
