// BF16: the upper 16 bits of a float, widened exactly.
struct bf16 {
  static constexpr const char* name = "BF16";
  static constexpr int block = 1, block_bytes = 2;
  static constexpr bool coded = false;

  // Tile: [cols][16] values; K needs no multiple.
  static int64_t tile_bytes(int64_t cols) { return round_up_64(cols * kLanes * block_bytes); }
  static f32x16 column(const uint8_t* tile, int64_t k) { return load_bfloat(tile + k * 32); }

  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t u = static_cast<uint32_t>(read_u16(blocks + 2 * i)) << 16;
      __builtin_memcpy(out + i, &u, 4);
    }
  }
  static void pack(uint8_t* tile, const uint8_t* const* rows, int64_t cols) {
    for (int64_t k = 0; k < cols; ++k)
      for (int r = 0; r < kLanes; ++r)
        __builtin_memcpy(tile + (k * kLanes + r) * block_bytes, rows[r] + k * block_bytes, block_bytes);
  }
};
