// Cuts the work of a stage into parts that follow each other, so that signals are looked at in between.
// Rows and tiles are independent of each other, so no cut changes a bit.
#pragma once
#include <cstdint>

#include "core/parallel.h"

namespace cutaway {

// Rows that go through a chain of stages together, so that their values stay in L2. In float32 mode more rows
// share the decoding of weights.
constexpr int64_t kRowBlock = 128, kInt8RowBlock = 64;
constexpr int64_t kFewRows = 16;  // so many rows share one pass over the weights; tiles are cut up to here

// When a call looks for signals: at the end of the first part that ends `check_ms` after the last look. A
// part is planned to last at most `part_ms`. Together they stay below the 50 ms promised.
struct Pacing {
  double part_ms = 20, check_ms = 20;
};

// What a stage has to do.
struct Work {
  int64_t rows = 1;
  double ms = 0;      // one row on one thread, by the pace of the kernels (kernels::Table)
  int64_t tiles = 0;  // 0: the threads share the rows; else they share the tiles of a row
};

// Rows of a chain, `row_ms` each on one thread, for a thread to take at a time. 0: the rows are too few or
// too slow, and the stages of the chain are cut one by one.
int64_t chain_block(int64_t rows, double row_ms, int threads, double part_ms, int64_t most);

class Parts {
 public:
  Parts(const Work& work, int threads, double part_ms);
  int64_t count() const { return row_parts_ * tile_parts_; }
  Range rows(int64_t part) const { return cut(work_.rows, rows_, part / tile_parts_); }
  Range tiles(int64_t part) const { return cut(work_.tiles, tiles_, part % tile_parts_); }

 private:
  static Range cut(int64_t n, int64_t size, int64_t i) {
    return {i * size, (i + 1) * size < n ? (i + 1) * size : n};
  }
  Work work_;
  int64_t rows_, tiles_ = 0;  // of a part
  int64_t row_parts_, tile_parts_ = 1;
};

}  // namespace cutaway
