// Q2_K: 256 weights in 16 sub-blocks of 16, w[i] = (d * scale) * q[i] - (dmin * min); scale, min: 4 bits
// each.
struct q2_k {
  struct Block {
    uint8_t scales[16];  // scale in the low, min in the high nibble
    uint8_t q[64];
    uint8_t d[2], dmin[2];
  };
  static_assert(sizeof(Block) == 84, "a GGUF Q2_K block is 84 bytes");
  static constexpr const char* name = "Q2_K";
  static constexpr int block = 256, block_bytes = 84;
  static constexpr bool coded = true;
  static constexpr int halves = 2;  // integer sums of a block of 32
  static constexpr float offset = 0;

  // Tile: pairs of bits [cols / 32][128]; scale and min of the two halves, as they stand in the file,
  // [cols / 32][2][16]; per 256 columns f16 d [16], dmin [16].
  static int64_t tile_bytes(int64_t cols) { return cols / 32 * (128 + 32) + cols / 256 * 64; }
  struct Part {
    i32x16 codes[8];
    f32x16 scale[2], min[2];  // integers
    f32x16 d, minus_dmin;
  };
  static Part load_part(const uint8_t* tile, int64_t cols, int64_t b) {
    Part p;
    get_pairs(p.codes, tile + b * 128);
    for (int h = 0; h < 2; ++h) {
      const i32x16 both = load_u8(tile + cols * 4 + b * 32 + h * 16);
      p.scale[h] = to_float(and16(both, seti(15)));
      p.min[h] = to_float(shr(both, 4));
    }
    const uint8_t* super = tile + cols * 5 + b / 8 * 64;
    p.d = load_half(super);
    p.minus_dmin = negate(load_half(super + 32));
    return p;
  }
  static f32x16 weight(const Part& p, i32x16 word, int byte, bool second) {
    return add(mul(mul(p.d, p.scale[second]), code_at(word, byte, 0)), mul(p.minus_dmin, p.min[second]));
  }
  // |sum of scale * dot| <= 15 * 3 * 127 * 32 and |sum of min * sum| <= 15 * 127 * 32: both below 2^18.
  static i32x16 dot8(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) { return dot8_codes(acc, w0, w1, a); }
  static f32x16 accumulate(const Part& p, const f32x16* P, const RowBlock& x, f32x16 acc) {
    const f32x16 zero = set1(0.0f);
    const f32x16 sum = fma(P[1], p.scale[1], fma(P[0], p.scale[0], zero));
    const f32x16 Pm = fma(x.second_sum, p.min[1], fma(x.first_sum, p.min[0], zero));
    acc = fma(sum, mul(p.d, x.scale), acc);
    return fma(Pm, mul(p.minus_dmin, x.scale), acc);
  }

  // Weight i of the block: halves of 128, each 4 runs of 32 that share 32 bytes.
  static uint8_t code(const uint8_t* p, int i) {
    return (p[16 + i / 128 * 32 + i % 32] >> (2 * (i % 128 / 32))) & 3;
  }
  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t b = 0; b < n / 256; ++b, blocks += block_bytes) {
      const float d = half_to_float(read_u16(blocks + 80)), dmin = half_to_float(read_u16(blocks + 82));
      for (int i = 0; i < 256; ++i) {
        const float scale = d * static_cast<float>(blocks[i / 16] & 15);
        *out++ = scale * static_cast<float>(code(blocks, i)) - dmin * static_cast<float>(blocks[i / 16] >> 4);
      }
    }
  }
  static void pack(uint8_t* tile, const uint8_t* const* rows, int64_t cols) {
    for_blocks(cols, [&](int r, int64_t b) {
      const uint8_t* p = rows[r] + b / 8 * block_bytes;
      const int s = static_cast<int>(b % 8);
      put_pairs(tile + b * 128, r, fields_of(p + 16 + s / 4 * 32, 2 * (s % 4), 3));
      for (int h = 0; h < 2; ++h) tile[cols * 4 + b * 32 + h * 16 + r] = p[2 * s + h];
      if (s == 0) put_u16(tile + cols * 5, b / 8 * 32 + r, read_u16(p + 80));
      if (s == 0) put_u16(tile + cols * 5, b / 8 * 32 + 16 + r, read_u16(p + 82));
    });
  }
};
