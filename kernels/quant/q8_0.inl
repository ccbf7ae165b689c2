// Q8_0: 32 weights, w[i] = d * q[i], q signed.
struct q8_0 {
  struct Block {
    uint8_t d[2];
    int8_t q[32];
  };
  static_assert(sizeof(Block) == 34, "a GGUF Q8_0 block is 34 bytes");
  static constexpr const char* name = "Q8_0";
  static constexpr int block = 32, block_bytes = 34;
  static constexpr bool coded = true;
  static constexpr int halves = 1;  // integer sums of a block of 32
  static constexpr float offset = kByteZero;

  // Tile: bytes q + 128 [cols / 32][512], then f16 d [cols / 32][16].
  static int64_t tile_bytes(int64_t cols) { return round_up_64(cols / 32 * (512 + 32)); }
  struct Part {
    i32x16 codes[8];
    f32x16 d;
  };
  static Part load_part(const uint8_t* tile, int64_t cols, int64_t b) {
    Part p;
    for (int j = 0; j < 8; ++j) p.codes[j] = loadi(tile + b * 512 + 64 * j);
    p.d = load_half(tile + cols * 16 + b * 32);
    return p;
  }
  static f32x16 weight(const Part& p, i32x16 word, int byte, bool) {
    return mul(p.d, code_at(word, byte, 128));
  }
  static i32x16 dot8(i32x16 acc, i32x16 w0, i32x16 w1, const int8_t* a) { return dot8_bytes(acc, w0, w1, a); }
  static f32x16 accumulate(const Part& p, const f32x16* P, const RowBlock& x, f32x16 acc) {
    return fma(P[0], mul(p.d, x.scale), acc);
  }

  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t b = 0; b < n / 32; ++b, blocks += block_bytes, out += 32) {
      const float d = half_to_float(read_u16(blocks));
      for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(blocks[2 + i]));
    }
  }
  static void encode(uint8_t* blocks, const float* x, int64_t n) {
    for (int64_t b = 0; b < n / 32; ++b, blocks += block_bytes, x += 32) {
      float amax = 0.0f;
      for (int i = 0; i < 32; ++i) amax = __builtin_fabsf(x[i]) > amax ? __builtin_fabsf(x[i]) : amax;
      const float d = amax / 127.0f, inverse = d > 0.0f ? 1.0f / d : 0.0f;
      write_u16(blocks, float_to_half(d));
      for (int i = 0; i < 32; ++i) {
        blocks[2 + i] = static_cast<uint8_t>(nearest_code(x[i] * inverse, -127, 127));
      }
    }
  }
  static void pack(uint8_t* tile, const uint8_t* const* rows, int64_t cols) {
    for_blocks(cols, [&](int r, int64_t b) {
      const uint8_t* p = rows[r] + b * block_bytes;
      Codes codes = fields_of(p + 2, 0, 255);
      for (uint32_t& word : codes.words) word ^= 0x80808080u;
      put_bytes(tile + b * 512, r, codes);
      put_u16(tile + cols * 16, b * kLanes + r, read_u16(p));
    });
  }
};
