// The kernels as the engine sees them: one table of function pointers per instruction set.
// Raw pointers and sizes only; this folder includes nothing but <stdint.h>, <stddef.h> and intrinsics, so
// that no inline function compiled with AVX flags can be merged by the linker into baseline code.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace cutaway::kernels {

constexpr int kLanes = 16;    // one vector: 16 output rows of a weight tile, 16 keys, or 16 columns of a row
constexpr int kQBlock = 32;   // columns that share one activation scale in int8 mode
constexpr int kRowGroup = 8;  // rows whose int8 blocks lie side by side
constexpr int kKvBlock = 64;  // positions of one block of the KV cache
constexpr int kSegment =
    256;  // positions whose softmax and value sums are taken together (docs/determinism.md)

// Activation rows prepared for int8 dot products (docs/determinism.md, "int8"). Rows lie in groups of
// `group`, block by block, so that a kernel reaches the same block of 8 rows by constant offsets: the place
// of block b of row r is int8_at(). All sums are exact.
struct Int8Rows {
  int64_t group;      // kRowGroup, or 1 for a row by itself
  int8_t* codes;      // [places, 32]  in [-127, 127]
  float* scale;       // [places]      x ~ scale * code
  float* sum;         // [places]      of the 32 codes
  float* half_sums;   // [places, 2]   of 16 codes
  float* scaled_sum;  // [places]      scale * sum
  int32_t* start;     // [places, 2]   the linear kernels' own
};

// How the KV cache keeps its numbers: as they are, rounded to IEEE float16, or as codes in [-127, 127] with a
// float32 scale for each 32 of a head, the scales behind the codes (docs/determinism.md, "KV cache").
enum class KvType { f32, f16, q8_0 };

// Bytes of n numbers: the tile of 16 keys [d_head, 16], or the row of a value [d_pad].
constexpr int64_t kv_bytes(KvType type, int64_t n) {
  return type == KvType::f32 ? 4 * n : type == KvType::f16 ? 2 * n : n + n / kQBlock * 4;
}

inline int64_t int8_at(int64_t group, int64_t row, int64_t block, int64_t blocks) {
  return (row / group * blocks + block) * group + row % group;
}

// One weight type. `cols` is K, the length of a dot product; a tile is 16 output rows over all of K.
struct Quant {
  const char* name;  // ggml's spelling: "Q4_1"
  int block;         // weights of a row in one block of the file
  int block_bytes;
  bool integer;                                                           // has an int8 kernel
  int64_t (*tile_bytes)(int64_t cols);                                    // multiple of 64
  void (*pack)(uint8_t* tile, const uint8_t* const* rows, int64_t cols);  // 16 file rows -> one tile
  void (*decode)(float* out, const uint8_t* blocks, int64_t n);           // n weights of one file row, exact
  void (*encode)(uint8_t* blocks, const float* x, int64_t n);             // the nearest we find; null: none
  void (*decode_tile)(float* out, const uint8_t* tile, int64_t cols);     // out: [cols, 16], exact
  // out[r, 0:n_out] = W x[r]; out: [rows, ld_out], x: [rows, ld_x]; tiles: ceil(n_out / 16) tiles in a row.
  void (*linear_f32)(float* out, int64_t ld_out, const float* x, int64_t ld_x, const uint8_t* tiles,
                     int64_t rows, int64_t cols, int64_t n_out);
  void (*linear_int8)(float* out, int64_t ld_out, const Int8Rows* x, const uint8_t* tiles, int64_t rows,
                      int64_t cols,
                      int64_t n_out);  // null unless `integer`
};

// A run of query rows that read the same keys: `rows` of them, all heads of one KV head, queries ascending.
struct AttentionRows {
  int rows;
  const int64_t* lo;  // [rows] first visible position
  const int64_t* hi;  // [rows] last visible position, inclusive
};

struct Table {
  const char* isa;
  const Quant* quants;  // in the order of quants.def
  int n_quants;
  // Multiply-adds that one thread surely does in a millisecond, with the slowest weight type and busy
  // neighbours: how much work may lie between two looks for a signal.
  int64_t f32_per_ms, int8_per_ms;
  int many_rows;                  // with 16 rows and more it does surely this many times as many
  int64_t f32_block, int8_block;  // multiply-adds of a round of peak_f32 and of peak_int8
#define KERNEL(name, ...) void (*name)(__VA_ARGS__);
#include "kernels.def"
#undef KERNEL
};

#define ISA(name, flags) const Table* name##_table();
#include "isas.def"
#undef ISA

}  // namespace cutaway::kernels
