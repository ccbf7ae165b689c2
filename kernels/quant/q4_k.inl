// Q4_K: 256 weights in 8 sub-blocks of 32, w[i] = (d * scale) * q[i] - (dmin * min); scale, min: 6 bits each.
struct q4_k {
  struct Block {
    uint8_t d[2], dmin[2];
    uint8_t scales[12];
    uint8_t q[128];
  };
  static_assert(sizeof(Block) == 144, "a GGUF Q4_K block is 144 bytes");
  static constexpr const char* name = "Q4_K";
  static constexpr int block = 256, block_bytes = 144;
  static constexpr bool coded = true;
  static constexpr int halves = 1;  // integer sums of a block of 32
  static constexpr float offset = 0;

  // Tile: nibbles [cols / 32][256]; per 32 columns bytes scale [16], min [16]; per 256 columns f16 d [16],
  // dmin [16].
  static int64_t tile_bytes(int64_t cols) { return cols / 32 * (256 + 32) + cols / 256 * 64; }
  struct Part {
    i32x16 codes[8];
    f32x16 d, m;  // d * scale and -dmin * min: 11 bits times 6, exact
  };
  static Part load_part(const uint8_t* tile, int64_t cols, int64_t b) {
    Part p;
    get_nibbles(p.codes, tile + b * 256);
    const uint8_t* sub = tile + cols * 8 + b * 32;
    const uint8_t* super = tile + cols * 9 + b / 8 * 64;
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

  // The 6-bit scale and min of sub-block s out of the 12 packed bytes.
  static void scale_min(const uint8_t* packed, int s, uint8_t* scale, uint8_t* min) {
    if (s < 4) {
      *scale = packed[s] & 63;
      *min = packed[s + 4] & 63;
    } else {
      *scale = static_cast<uint8_t>((packed[s + 4] & 15) | ((packed[s - 4] >> 6) << 4));
      *min = static_cast<uint8_t>((packed[s + 4] >> 4) | ((packed[s] >> 6) << 4));
    }
  }
  // Sub-blocks 2 c and 2 c + 1 are the low and the high nibbles of bytes 32 c .. 32 c + 31.
  static int code(const uint8_t* p, int s, int i) {
    const uint8_t byte = p[16 + s / 2 * 32 + i];
    return s % 2 ? byte >> 4 : byte & 15;
  }
  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t b = 0; b < n / 256; ++b, blocks += block_bytes)
      for (int s = 0; s < 8; ++s, out += 32) {
        uint8_t scale, min;
        scale_min(blocks + 4, s, &scale, &min);
        const float d = half_to_float(read_u16(blocks)) * static_cast<float>(scale);
        const float m = half_to_float(read_u16(blocks + 2)) * static_cast<float>(min);
        for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(code(blocks, s, i)) - m;
      }
  }
  static void pack(uint8_t* tile, const uint8_t* const* rows, int64_t cols) {
    for_blocks(cols, [&](int r, int64_t b) {
      const uint8_t* p = rows[r] + b / 8 * block_bytes;
      const int s = static_cast<int>(b % 8);
      put_nibbles(tile + b * 256, r, fields_of(p + 16 + s / 2 * 32, 4 * (s % 2), 15));
      uint8_t* sub = tile + cols * 8 + b * 32;
      scale_min(p + 4, s, sub + r, sub + 16 + r);
      if (s == 0) put_u16(tile + cols * 9, b / 8 * 32 + r, read_u16(p));
      if (s == 0) put_u16(tile + cols * 9, b / 8 * 32 + 16 + r, read_u16(p + 2));
    });
  }
};
