// F32: the weight itself.
struct f32 {
  static constexpr const char* name = "F32";
  static constexpr int block = 1, block_bytes = 4;
  static constexpr bool coded = false;

  // Tile: [cols][16] values; K needs no multiple.
  static int64_t tile_bytes(int64_t cols) { return round_up_64(cols * kLanes * block_bytes); }
  static f32x16 column(const uint8_t* tile, int64_t k) {
    return load(reinterpret_cast<const float*>(tile) + k * kLanes);
  }

  static void decode(float* out, const uint8_t* blocks, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      float f;
      __builtin_memcpy(&f, blocks + 4 * i, 4);
      out[i] = f;
    }
  }
  static void pack(uint8_t* tile, const uint8_t* const* rows, int64_t cols) {
    for (int64_t k = 0; k < cols; ++k)
      for (int r = 0; r < kLanes; ++r)
        __builtin_memcpy(tile + (k * kLanes + r) * block_bytes, rows[r] + k * block_bytes, block_bytes);
  }
};
