// The ceilings: on a machine that is busy, what counts is a run with enough work in it.
#include "core/limits.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/cpu.h"
#include "core/parallel.h"

namespace cutaway::testing {
namespace {

// A call takes a microsecond; every run starts 10 ms late, and one of them is stopped for 50 ms.
TEST(Limits, AThreadThatStartsLateIsNoLongRun) {
  std::vector<int64_t> asked;
  const double rate = best_rate([&](int64_t times) {
    asked.push_back(times);
    const double work = 1e-6 * static_cast<double>(times);
    return Took{work + (asked.size() % 8 == 0 ? 0.060 : 0.010), work};
  });
  EXPECT_EQ(asked.back(), 4096) << "the first power of two with 4 ms of work";
  EXPECT_DOUBLE_EQ(rate, 4096 / (0.004096 + 0.010));
  EXPECT_EQ(asked.size(), 12u + 8u) << "too short a run is not made again";
}

TEST(Limits, TheBestOfSeveralRunsCounts) {
  int run = 0;
  EXPECT_DOUBLE_EQ(best_rate([&](int64_t) { return Took{++run == 3 ? 0.5 : 1.0, 0.5}; }), 2.0);
  EXPECT_EQ(run, 8);
}

TEST(Limits, EndsWhereNoProcessorTimeIsCounted) {
  const auto stands = [](int64_t times) { return Took{0.1 * static_cast<double>(times), 0.0}; };
  EXPECT_DOUBLE_EQ(best_rate(stands), 10.0);
}

TEST(Limits, AreMeasuredOnAnyNumberOfThreads) {
  for (int threads : {1, 3}) {
    const Limits limits = measure_limits(kernels_for("scalar"), threads, 1000);
    for (double rate : {limits.f32_flops, limits.int8_flops, limits.bandwidth}) {
      EXPECT_GT(rate, 0);
      EXPECT_LT(rate, 1e16);
    }
  }
}

}  // namespace
}  // namespace cutaway::testing
