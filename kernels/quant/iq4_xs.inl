// IQ4_XS: 256 weights in 8 sub-blocks of 32, w[i] = (d * (scale - 32)) * values[q[i]]; scale: 6 bits, values
// as in IQ4_NL.
struct iq4_xs {
  struct Block {
    uint8_t d[2];
    uint8_t scales_high[2];  // bits 2 s, 2 s + 1 are bits 4, 5 of scale s
    uint8_t scales_low[4];   // nibbles
    uint8_t q[128];          // 16 bytes a sub-block, as in Q4_0
  };
  static_assert(sizeof(Block) == 136, "a GGUF IQ4_XS block is 136 bytes");
  static constexpr const char* name = "IQ4_XS";
  static constexpr int block = 256, block_bytes = 136;
  static constexpr bool coded = true;
  static constexpr int halves = 1;  // integer sums of a block of 32
  static constexpr float offset = kByteZero;

  // Tile: nibbles [cols / 32][256]; scale - 32 [cols / 32][16] signed bytes; f16 d [cols / 256][16].
  static int64_t tile_bytes(int64_t cols) { return round_up_64(cols / 32 * (256 + 16) + cols / 256 * 32); }
  struct Part {
    i32x16 codes[8];
    f32x16 d;  // d * (scale - 32): 11 bits times 6, exact
  };
  static Part load_part(const uint8_t* tile, int64_t cols, int64_t b) {
    Part p;
    get_nibbles(p.codes, tile + b * 256);
    for (i32x16& word : p.codes) word = lookup(word, iq4_nl::shifted);
    const f32x16 scale = to_float(load_s8(tile + cols * 8 + b * 16));
    p.d = mul(load_half(tile + cols * 8 + cols / 2 + b / 8 * 32), scale);
    return p;
  }
  static f32x16 weight(const Part& p, i32x16 word, int byte, bool) {
    return mul(p.d, code_at(word, byte, 128));
  }
  static i32x16 dot8(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) { return dot8_bytes(acc, w0, w1, a); }
  static f32x16 accumulate(const Part& p, const f32x16* P, const RowBlock& x, f32x16 acc) {
    return fma(P[0], mul(p.d, x.scale), acc);
  }

  static int8_t scale(const uint8_t* p, int s) {
    const int low = (p[4 + s / 2] >> (4 * (s % 2))) & 15, high = (read_u16(p + 2) >> (2 * s)) & 3;
    return static_cast<int8_t>((low | high << 4) - 32);
  }
  static uint8_t code(const uint8_t* p, int s, int i) {
    const uint8_t byte = p[8 + 16 * s + i % 16];
    return i < 16 ? byte & 15 : byte >> 4;
  }
  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t b = 0; b < n / 256; ++b, blocks += block_bytes)
      for (int s = 0; s < 8; ++s, out += 32) {
        const float d = half_to_float(read_u16(blocks)) * static_cast<float>(scale(blocks, s));
        for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(iq4_nl::values[code(blocks, s, i)]);
      }
  }
  static void pack(uint8_t* tile, const uint8_t* const* rows, int64_t cols) {
    for_blocks(cols, [&](int r, int64_t b) {
      const uint8_t* p = rows[r] + b / 8 * block_bytes;
      const int s = static_cast<int>(b % 8);
      put_nibbles(tile + b * 256, r, nibbles_of(p + 8 + 16 * s));
      tile[cols * 8 + b * 16 + r] = static_cast<uint8_t>(scale(p, s));
      if (s == 0) put_u16(tile + cols * 8 + cols / 2, b / 8 * kLanes + r, read_u16(p));
    });
  }
};
