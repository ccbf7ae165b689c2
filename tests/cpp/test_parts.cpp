// Cutting the work of a stage: everything once, and no part longer than it may be.
#include "model/parts.h"

#include <gtest/gtest.h>

#include <vector>

namespace cutaway {
namespace {

constexpr double kMs = 20;

// What the busiest thread of a part does, by the share that the executor gives it.
double longest(const Work& work, int threads) {
  const Parts parts(work, threads, kMs);
  double most = 0;
  for (int64_t p = 0; p < parts.count(); ++p)
    for (int id = 0; id < threads; ++id) {
      const Worker w{id, threads, nullptr};
      const Range rows = work.tiles ? parts.rows(p) : w.share(parts.rows(p)), tiles = w.share(parts.tiles(p));
      const double part = work.tiles ? static_cast<double>(tiles.end - tiles.begin) / work.tiles : 1.0;
      most = std::max(most, static_cast<double>(rows.end - rows.begin) * part * work.ms);
    }
  return most;
}

TEST(Parts, NoneIsLongerThanItMayBe) {
  for (int threads : {1, 2, 3, 7, 64})
    for (int64_t rows : {1, 2, 15, 16, 17, 100, 5000})
      for (double ms : {1e-4, 0.03, 0.9, 19.9}) {
        EXPECT_LE(longest({rows, ms}, threads), kMs * (1 + 1e-9)) << rows << " rows of " << ms;
        for (int64_t tiles : {1, 12, 36, 3072, 16384}) {
          const double row = std::min(ms * 1000, kMs * static_cast<double>(tiles));  // one tile always fits
          EXPECT_LE(longest({rows, row, tiles}, threads), kMs * (1 + 1e-9))
              << rows << " rows of " << row << " ms, " << tiles << " tiles, " << threads << " threads";
        }
      }
}

TEST(Parts, EveryTileOfEveryRowOnce) {
  for (int threads : {1, 3})
    for (int64_t rows : {0, 1, 16, 17, 250})
      for (int64_t tiles : {0, 1, 5, 37})
        for (double ms : {0.0, 0.4, 3.0, 90.0}) {
          const Parts parts({rows, ms, tiles}, threads, kMs);
          const int64_t width = std::max<int64_t>(tiles, 1);
          std::vector<int> seen(rows * width);
          for (int64_t p = 0; p < parts.count(); ++p)
            for (int64_t r = parts.rows(p).begin; r < parts.rows(p).end; ++r)
              for (int64_t t = tiles ? parts.tiles(p).begin : 0; t < (tiles ? parts.tiles(p).end : 1); ++t)
                ++seen[r * width + t];
          EXPECT_EQ(seen, std::vector<int>(rows * width, 1))
              << rows << " rows, " << tiles << " tiles of " << ms;
        }
}

// Few rows at a time would read the weights again and again; tiles are cut instead. Not more than 16 rows,
// since then each thread prepares them for itself.
TEST(Parts, TilesAreCutOnlyForFewRows) {
  const Parts head({100, 8.4, 16384}, 1, kMs);  // Gemma's vocabulary
  EXPECT_EQ(head.rows(0).end, 16);
  EXPECT_LT(head.tiles(0).end, 16384);
  const Parts mlp({512, 0.09, 96}, 1, kMs);
  EXPECT_EQ(mlp.rows(0).end, 208);  // a multiple of 16
  EXPECT_EQ(mlp.tiles(0).end, 96);
  EXPECT_EQ(Parts({512, 0.01, 96}, 1, kMs).count(), 1);
}

// A chain takes as many rows as fit, in whole register blocks; few rows, and rows so slow that not even 16
// fit, are left to the stages.
TEST(Parts, RowsOfAChain) {
  EXPECT_EQ(chain_block(512, 0.01, 2, kMs, 64), 64);
  EXPECT_EQ(chain_block(100, 0.01, 2, kMs, 64), 50);
  EXPECT_EQ(chain_block(512, 0.5, 2, kMs, 64), 32);   // 40 fit
  EXPECT_EQ(chain_block(512, 1.25, 2, kMs, 64), 16);  // just 16
  EXPECT_EQ(chain_block(512, 1.26, 2, kMs, 64), 0);
  EXPECT_EQ(chain_block(32, 0.01, 2, kMs, 64), 0);
  EXPECT_EQ(chain_block(33, 0.01, 2, kMs, 64), 17);
  EXPECT_EQ(chain_block(150, 0.01, 2, kMs, 64), 38);  // four blocks, not two and a bit
  EXPECT_EQ(chain_block(520, 0.01, 2, kMs, 64), 52);
}

}  // namespace
}  // namespace cutaway
