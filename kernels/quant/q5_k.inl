// Q5_K: 256 weights in 8 sub-blocks of 32, w[i] = (d * scale) * q[i] - (dmin * min); scale, min as in Q4_K.
struct q5_k {
  struct Block {
    uint8_t d[2], dmin[2];
    uint8_t scales[12];
    uint8_t high[32];  // bit s of byte i is bit 4 of weight 32 s + i
    uint8_t q[128];
  };
  static_assert(sizeof(Block) == 176, "a GGUF Q5_K block is 176 bytes");
  static constexpr const char* name = "Q5_K";
  static constexpr int block = 256, block_bytes = 176;
  static constexpr bool coded = true;
  static constexpr int halves = 1;  // integer sums of a block of 32
  static constexpr float offset = 0;

  // Tile: nibbles [cols / 32][256]; fifth bits [cols / 32][64]; per 32 columns bytes scale [16], min [16];
  // per 256 columns f16 d [16], dmin [16].
  static int64_t tile_bytes(int64_t cols) { return cols / 32 * (256 + 64 + 32) + cols / 256 * 64; }
  struct Part {
    i32x16 codes[8];
    f32x16 d, m;  // d * scale and -dmin * min: 11 bits times 6, exact
  };
  static Part load_part(const uint8_t* tile, int64_t cols, int64_t b) {
    Part p;
    get_nibbles(p.codes, tile + b * 256);
    or_bits<4>(p.codes, loadi(tile + cols * 8 + b * 64));
    const uint8_t* sub = tile + cols * 10 + b * 32;
    const uint8_t* super = tile + cols * 11 + b / 8 * 64;
    p.d = mul(load_half(super), to_float(load_u8(sub)));
    p.m = mul(negate(load_half(super + 32)), to_float(load_u8(sub + 16)));
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

  // Weight i of sub-block s: the low bits lie as in Q4_K.
  static uint8_t code(const uint8_t* p, int s, int i) {
    const uint8_t byte = p[48 + s / 2 * 32 + i];
    return static_cast<uint8_t>((s % 2 ? byte >> 4 : byte & 15) | ((p[16 + i] >> s) & 1) << 4);
  }
  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t b = 0; b < n / 256; ++b, blocks += block_bytes)
      for (int s = 0; s < 8; ++s, out += 32) {
        uint8_t scale, min;
        q4_k::scale_min(blocks + 4, s, &scale, &min);
        const float d = half_to_float(read_u16(blocks)) * static_cast<float>(scale);
        const float m = half_to_float(read_u16(blocks + 2)) * static_cast<float>(min);
        for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(code(blocks, s, i)) - m;
      }
  }
  static void pack(uint8_t* tile, const uint8_t* const* rows, int64_t cols) {
    for_blocks(cols, [&](int r, int64_t b) {
      const uint8_t* p = rows[r] + b / 8 * block_bytes;
      const int s = static_cast<int>(b % 8);
      put_nibbles(tile + b * 256, r, fields_of(p + 48 + s / 2 * 32, 4 * (s % 2), 15));
      put_bits(tile + cols * 8 + b * 64, r, fields_of(p + 16, s, 1));
      uint8_t* sub = tile + cols * 10 + b * 32;
      q4_k::scale_min(p + 4, s, sub + r, sub + 16 + r);
      if (s == 0) put_u16(tile + cols * 11, b / 8 * 32 + r, read_u16(p));
      if (s == 0) put_u16(tile + cols * 11, b / 8 * 32 + 16 + r, read_u16(p + 2));
    });
  }
};
