#include "model/parts.h"

#include <algorithm>

namespace cutaway {
namespace {

int64_t divided_up(int64_t n, int64_t size) { return (n + size - 1) / size; }

// How many things of `each` ms fit into `ms`: from 1 to `most`.
int64_t fitting(double ms, double each, int64_t most) {
  return each * static_cast<double>(most) <= ms ? most : std::max<int64_t>(1, static_cast<int64_t>(ms / each));
}

}  // namespace

Parts::Parts(const Work& work, int threads, double part_ms) : work_(work) {
  const int64_t most = std::max<int64_t>(1, work.rows);
  if (work.tiles == 0) {
    rows_ = threads * fitting(part_ms, work.ms, divided_up(most, threads));
  } else {
    const double tile_ms = work.ms / static_cast<double>(work.tiles);
    int64_t share = divided_up(work.tiles, threads);  // tiles of the busiest thread
    rows_ = fitting(part_ms, tile_ms * static_cast<double>(share), most);
    if (rows_ < std::min(kFewRows, most)) {  // fewer would read the weights too often: cut the tiles instead
      rows_ = fitting(part_ms, tile_ms, std::min(kFewRows, most));
      share = fitting(part_ms, tile_ms * static_cast<double>(rows_), share);
    } else if (rows_ < most) {
      rows_ = rows_ / kFewRows * kFewRows;
    }
    tiles_ = std::min(share * threads, work.tiles);
    tile_parts_ = divided_up(work.tiles, tiles_);
  }
  row_parts_ = divided_up(work.rows, rows_);
}

}  // namespace cutaway
