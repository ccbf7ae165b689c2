// AMX with int8: from 16 rows on the tile unit multiplies the bytes. All else is AVX-512's: its table as it
// is, and its source for the floats around the products. An option that is asked for by name: nobody has
// measured it yet.
//
// A tile register has up to 16 rows of up to 64 bytes. TDPBSUD adds to C [rows, 16] of int32 the product of A
// [rows, 4 k] of signed bytes and B [k, 16, 4] of unsigned bytes (Intel SDM, vol. 1, chapter 18). Activations
// of a group of 8 rows are such an A, and the words of Part::codes such a B: nothing is rearranged.
#include <immintrin.h>

#include "kernels.h"

namespace cutaway::kernels {
static const Table* avx512_source();  // the source's own table is called that here: nobody wants it
const Table* avx512_table() __attribute__((nothrow));  // or the object would have a weak symbol
}  // namespace cutaway::kernels
#define avx512_table avx512_source
#include "cpu/avx512.cpp"
#undef avx512_table

namespace cutaway::kernels {
namespace {

constexpr int64_t kFewestRows = 16;  // of a call that uses tiles: with fewer, reading weights is most of it
constexpr int kStrip = 4;            // weight tiles that all rows pass over, as in for_tiles
constexpr int kRun = 8;              // blocks of a strip that are unpacked at a time: up to 28 KiB, in L1
constexpr int kAhead = 4;            // blocks that the products are ahead of the additions
constexpr int kSums = kRowGroup * kLanes;

// What LDTILECFG reads (Intel SDM, vol. 2, table "Memory Area Layout" of that instruction).
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};  // tiles 8 to 15 do not exist and stay zero
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileShapes) == 64 && offsetof(TileShapes, row_bytes) == 16 &&
              offsetof(TileShapes, rows) == 48);

// Tiles 0 to 3 are sums, 4 and 5 activations, 6 and 7 weights; k bytes of each row are multiplied.
constexpr TileShapes tile_shapes(int rows, int k) {
  TileShapes s;
  for (int i = 0; i < 8; ++i) {
    s.row_bytes[i] = static_cast<uint16_t>(i == 4 || i == 5 ? k : 64);
    s.rows[i] = static_cast<uint8_t>(i < 6 ? rows : k / 4);
  }
  return s;
}
// Constants of the object file: GCC's LDTILECFG claims to read 8 bytes, so a local one could lose the rest.
constexpr TileShapes kBlockShapes = tile_shapes(kRowGroup, kQBlock),
                     kHalfShapes = tile_shapes(kRowGroup, kQBlock / 2), kFullShapes = tile_shapes(16, 64);

// Before tiles are loaded from what was just written: GCC's TILELOADD does not say that it reads memory.
static inline void written(const void* p) { __asm__ volatile("" : : "r"(p) : "memory"); }

// sums = tile a times the weights at `words`, through tiles c and b. A macro: tile numbers are literals.
#define TILE_PRODUCT(c, a, b, words, sums) \
  _tile_zero(c);                           \
  _tile_loadd(b, words, 64);               \
  _tile_dpbsud(c, a, b);                   \
  _tile_stored(c, sums, 64)

// One block of 8 rows and T weight tiles; sums: [T, halves, 8, 16].
template <class Q, int T>
static inline void multiply_block(int32_t* sums, const int8_t* rows /*[8, 32]*/,
                                  const typename Q::Part* first, const typename Q::Part* second) {
  _tile_loadd(4, rows, kQBlock);
  TILE_PRODUCT(0, 4, 6, first->codes, sums);
  if constexpr (T == 2) { TILE_PRODUCT(1, 4, 7, second->codes, sums + Q::halves * kSums); }
  if constexpr (Q::halves == 2) {
    _tile_loadd(5, rows + kQBlock / 2, kQBlock);
    TILE_PRODUCT(2, 5, 6, first->codes + 4, sums + kSums);
    if constexpr (T == 2) { TILE_PRODUCT(3, 5, 7, second->codes + 4, sums + 3 * kSums); }
  }
}

#define UNROLL _Pragma("GCC unroll 32")  // register blocks

// out (+)= a run of n blocks, of 8 rows and T tiles; `place` is that of the first block among the int8 rows.
template <class Q, int T>
static void add_run(float* out, int64_t ld_out, const Int8Rows& x, int64_t place,
                    const typename Q::Part (*parts)[kRun], int64_t n, bool first, int64_t n_out) {
  alignas(64) int32_t sums[kAhead][T][Q::halves][kSums];
  f32x16 acc[T][kRowGroup];
  UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < kRowGroup; ++r) acc[t][r] =
      first ? set1(0.0f) : load_out(out + r * ld_out + t * kLanes, n_out - t * kLanes);
  const auto multiply = [&](int64_t i) {
    multiply_block<Q, T>(sums[i % kAhead][0][0], x.codes + (place + i * kRowGroup) * kQBlock, &parts[0][i],
                         &parts[T - 1][i]);
  };
  for (int64_t i = 0; i < kAhead && i < n; ++i) multiply(i);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = place + i * kRowGroup;
    UNROLL for (int r = 0; r < kRowGroup; ++r) {
      const RowBlock block = {set1(x.scale[at + r]), set1(x.half_sums[2 * (at + r)]),
                              set1(x.half_sums[2 * (at + r) + 1]), set1(x.scaled_sum[at + r])};
      UNROLL for (int t = 0; t < T; ++t) {
        f32x16 P[Q::halves];
        UNROLL for (int h = 0; h < Q::halves; ++h) {
          i32x16 dot = loadi(reinterpret_cast<const uint8_t*>(sums[i % kAhead][t][h] + r * kLanes));
          if constexpr (Q::offset != 0) dot = add(dot, seti(x.start[(at + r) * Q::halves + h]));
          P[h] = to_float(dot);
        }
        acc[t][r] = Q::accumulate(parts[t][i], P, block, acc[t][r]);
      }
    }
    if (i + kAhead < n) multiply(i + kAhead);
  }
  UNROLL for (int t = 0; t < T; ++t) UNROLL for (int r = 0; r < kRowGroup; ++r)
      store_out(out + r * ld_out + t * kLanes, acc[t][r], n_out - t * kLanes);
}
#undef UNROLL

// Up to kStrip weight tiles, all rows: a multiple of 8. Between two runs of blocks the sums wait in `out`.
template <class Q>
static void add_strip(float* out, int64_t ld_out, const Int8Rows& x, const uint8_t* tiles, int64_t n_tiles,
                      int64_t rows, int64_t cols, int64_t n_out) {
  typename Q::Part parts[kStrip][kRun];
  const int64_t stride = Q::tile_bytes(cols), blocks = cols / kQBlock;
  for (int64_t b = 0; b < blocks; b += kRun) {
    const int64_t n = blocks - b < kRun ? blocks - b : kRun;
    for (int64_t t = 0; t < n_tiles; ++t)
      for (int64_t i = 0; i < n; ++i) parts[t][i] = Q::load_part(tiles + t * stride, cols, b + i);
    written(parts);
    for (int64_t r = 0; r < rows; r += kRowGroup) {
      const int64_t place = int8_at(kRowGroup, r, b, blocks);
      const auto run = [&]<int T>(int64_t t) {
        add_run<Q, T>(out + r * ld_out + t * kLanes, ld_out, x, place, parts + t, n, b == 0,
                      n_out - t * kLanes);
      };
      for (int64_t t = 0; t < n_tiles; t += 2)
        if (t + 1 < n_tiles)
          run.template operator()<2>(t);
        else
          run.template operator()<1>(t);
    }
  }
}

enum Type {
#define QUANT(type) type_##type,
#include "quants.def"
#undef QUANT
  kTypes
};

// Groups of 8 rows by tiles, the rows that remain as AVX-512 has them: the same bits.
template <class Q, int kType>
static void linear_tiles(float* out, int64_t ld_out, const Int8Rows* x, const uint8_t* tiles, int64_t rows,
                         int64_t cols, int64_t n_out) {
  const int64_t tiled = rows >= kFewestRows && x->group == kRowGroup ? rows / kRowGroup * kRowGroup : 0;
  if (tiled > 0) {
    const int64_t n_tiles = (n_out + kLanes - 1) / kLanes;
    if constexpr (Q::offset != 0) start_sums<Q>(x, tiled, cols);
    _tile_loadconfig(Q::halves == 2 ? &kHalfShapes : &kBlockShapes);
    for (int64_t t = 0; t < n_tiles; t += kStrip)
      add_strip<Q>(out + t * kLanes, ld_out, *x, tiles + t * Q::tile_bytes(cols),
                   n_tiles - t < kStrip ? n_tiles - t : kStrip, tiled, cols, n_out - t * kLanes);
    _tile_release();  // nothing of the tiles is left for the system to save, and the core may sleep deeply
  }
  if (tiled == rows) return;
  const int64_t place = tiled * (cols / kQBlock);
  const Int8Rows rest = {x->group,
                         x->codes + place * kQBlock,
                         x->scale + place,
                         x->sum + place,
                         x->half_sums + 2 * place,
                         x->scaled_sum + place,
                         x->start + 2 * place};
  avx512_table()->quants[kType].linear_int8(out + tiled * ld_out, ld_out, &rest, tiles, rows - tiled, cols,
                                            n_out);
}

// `rounds` times four products of full tiles, which do not wait for each other. lanes: [16], read and
// written.
static void peak_tiles(int32_t* lanes, int64_t rounds) {
  alignas(64) int8_t bytes[16][64];
  alignas(64) int32_t sums[kLanes];
  for (int r = 0; r < 16; ++r)
    for (int b = 0; b < 64; ++b) bytes[r][b] = static_cast<int8_t>((3 * r + b) % 64);
  written(bytes);
  _tile_loadconfig(&kFullShapes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, bytes, 64);
  _tile_loadd(5, bytes, 64);
  _tile_loadd(6, bytes, 64);
  _tile_loadd(7, bytes, 64);
  for (int64_t k = 0; k < rounds; ++k) {
    _tile_dpbsud(0, 4, 6);
    _tile_dpbsud(1, 4, 7);
    _tile_dpbsud(2, 5, 6);
    _tile_dpbsud(3, 5, 7);
  }
  _tile_stored(0, sums, 0);  // all rows in one place: the last one stays
  _tile_release();
  const auto at = reinterpret_cast<const uint8_t*>(lanes);
  storei(lanes, add(loadi(at), loadi(reinterpret_cast<const uint8_t*>(sums))));
}
constexpr int64_t kPeakBlock = 4 * 16 * 16 * 64;

template <class Q, int kType>
static void use_tiles(Quant* quants) {
  if constexpr (Q::coded) quants[kType].linear_int8 = linear_tiles<Q, kType>;
}

static Table make_tile_table() noexcept {
  static Quant quants[kTypes];
  Table t = *avx512_table();
  for (int i = 0; i < kTypes; ++i) quants[i] = t.quants[i];
#define QUANT(type) use_tiles<type, type_##type>(quants);
#include "quants.def"
#undef QUANT
  t.isa = "amx";
  t.quants = quants;
  t.peak_int8 = peak_tiles;
  t.int8_block = kPeakBlock;
  return t;
}

}  // namespace

const Table* amx_table() {
  static const Table table = make_tile_table();
  return &table;
}

}  // namespace cutaway::kernels
