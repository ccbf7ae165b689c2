// After the descriptions of LDTILECFG, TILERELEASE, TILEZERO, TILELOADD, TILESTORED and TDPBSSD in the Intel
// SDM, vol. 2, for palette 1: eight tiles of at most 16 rows of 64 bytes.
#include "tile_unit.h"

#include <cstring>
#include <stdexcept>
#include <string>

namespace cutaway::testing::tiles {
namespace {

constexpr int kTiles = 8, kMostRows = 16, kMostBytes = 64;

struct Tile {
  int rows, row_bytes;
  uint8_t bytes[kMostRows][kMostBytes];
};
struct Unit {
  bool configured;
  int64_t products;
  Tile tiles[kTiles];
};
thread_local Unit unit;

void require(bool holds, const char* what, int tile = -1) {
  if (!holds) throw std::logic_error(std::string(what) + (tile < 0 ? "" : ", tile " + std::to_string(tile)));
}

Tile& tile_at(int number) {
  require(unit.configured, "a tile is used before LDTILECFG");
  require(number >= 0 && number < kTiles, "there is no such tile", number);
  require(unit.tiles[number].rows > 0, "the tile is not configured", number);
  return unit.tiles[number];
}

int32_t element(const uint8_t* byte, bool is_signed) {
  return is_signed ? static_cast<int8_t>(*byte) : *byte;
}

}  // namespace

void load_config(const void* memory) {
  uint8_t m[64];
  std::memcpy(m, memory, 64);
  require(m[0] == 1, "the palette is not 1");
  for (int i = 1; i < 16; ++i) require(m[i] == 0, "start_row or a reserved byte of 2 to 15 is not zero");
  for (int i = 32; i < 48; ++i) require(m[i] == 0, "a reserved byte of 32 to 47 is not zero");
  for (int i = 56; i < 64; ++i) require(m[i] == 0, "a reserved byte of 56 to 63 is not zero");
  for (int t = 0; t < kTiles; ++t) {
    const int row_bytes = m[16 + 2 * t] | m[17 + 2 * t] << 8, rows = m[48 + t];
    require(rows <= kMostRows && row_bytes <= kMostBytes, "a tile is too large", t);
    require((rows == 0) == (row_bytes == 0), "a tile has rows without bytes or bytes without rows", t);
    unit.tiles[t] = {rows, row_bytes, {}};
  }
  unit.configured = true;
}

void release() {
  unit.configured = false;
  for (Tile& t : unit.tiles) t = {};
}

void zero(int tile) { std::memset(tile_at(tile).bytes, 0, sizeof(Tile::bytes)); }

void load(int tile, const void* base, int64_t stride) {
  Tile& t = tile_at(tile);
  std::memset(t.bytes, 0, sizeof t.bytes);
  for (int r = 0; r < t.rows; ++r)
    std::memcpy(t.bytes[r], static_cast<const uint8_t*>(base) + r * stride, static_cast<size_t>(t.row_bytes));
}

void store(int tile, void* base, int64_t stride) {
  const Tile& t = tile_at(tile);
  for (int r = 0; r < t.rows; ++r)
    std::memcpy(static_cast<uint8_t*>(base) + r * stride, t.bytes[r], static_cast<size_t>(t.row_bytes));
}

void multiply(int c, int a, int b, bool a_signed, bool b_signed) {
  Tile &sums = tile_at(c), &left = tile_at(a), &right = tile_at(b);
  require(c != a && c != b && a != b, "a tile is named twice in one product", c);
  require(sums.rows == left.rows, "the sums have not as many rows as the first factor", c);
  require(sums.row_bytes == right.row_bytes && sums.row_bytes % 4 == 0,
          "the sums have not as many columns as the second factor", c);
  require(left.row_bytes == 4 * right.rows, "the factors do not fit", a);
  for (int m = 0; m < sums.rows; ++m)
    for (int n = 0; n < sums.row_bytes / 4; ++n) {
      int32_t sum;
      std::memcpy(&sum, &sums.bytes[m][4 * n], 4);
      for (int k = 0; k < left.row_bytes; ++k)
        sum += element(&left.bytes[m][k], a_signed) * element(&right.bytes[k / 4][4 * n + k % 4], b_signed);
      std::memcpy(&sums.bytes[m][4 * n], &sum, 4);
    }
  unit.products += int64_t{sums.rows} * (sums.row_bytes / 4) * left.row_bytes;
}

bool configured() { return unit.configured; }
int64_t products() { return unit.products; }

}  // namespace cutaway::testing::tiles
