#include "model/parts.h"

#include <algorithm>

namespace cutaway {
namespace {

int64_t divided_up(int64_t n, int64_t size) { return (n + size - 1) / size; }

// How many things of `each` ms fit into `ms`: from 1 to `most`.
int64_t fitting(double ms, double each, int64_t most) {
  return each * static_cast<double>(most) <= ms ? most
                                                : std::max<int64_t>(1, static_cast<int64_t>(ms / each));
}

}  // namespace

int64_t chain_block(int64_t rows, double row_ms, int threads, double part_ms, int64_t most) {
  if (rows <= kFewRows * threads) return 0;
  most = divided_up(rows, divided_up(divided_up(rows, most), threads) * threads);  // as many for every thread
  const int64_t block = fitting(part_ms, row_ms, most);
  return block == most ? most : block / kFewRows * kFewRows;
}

Parts::Parts(const Work& work, int threads, double part_ms) : work_(work) {
  const int64_t most = std::max<int64_t>(1, work.rows);
  if (work.tiles == 0) {
    rows_ = threads * fitting(part_ms, work.ms, divided_up(most, threads));
  } else {
    const double tile_ms = work.ms / static_cast<double>(work.tiles);
    const int64_t few = std::min(kFewRows, most), share = divided_up(work.tiles, threads);
    const double share_ms = tile_ms * static_cast<double>(share);  // a row on the busiest thread
    if (share_ms * static_cast<double>(few) <= part_ms) {
      rows_ = fitting(part_ms, share_ms, most);
      if (rows_ < most) rows_ = std::max(few, rows_ / kFewRows * kFewRows);
      tiles_ = work.tiles;
    } else {  // fewer rows would read the weights too often: cut the tiles
      rows_ = fitting(part_ms, tile_ms, few);
      tiles_ = std::min(work.tiles, threads * fitting(part_ms, tile_ms * static_cast<double>(rows_), share));
    }
    tile_parts_ = divided_up(work.tiles, tiles_);
  }
  row_parts_ = divided_up(work.rows, rows_);
}

}  // namespace cutaway
