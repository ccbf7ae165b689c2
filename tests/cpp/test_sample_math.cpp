// The arithmetic under the sampler: exp and log within 1 ulp, the fixed order of sums, the published Philox
// vectors.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/exact_math.h"
#include "core/philox.h"
#include "sample/candidates.h"

namespace cutaway {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

double ulps(double got, long double truth) {
  const double rounded = static_cast<double>(truth);
  const double ulp = std::nextafter(std::fabs(rounded), kInf) - std::fabs(rounded);
  return static_cast<double>(std::fabs(static_cast<long double>(got) - truth) / ulp);
}

TEST(ExactMath, ExpIsWithinOneUlp) {
  std::mt19937_64 random(1);
  double worst = 0;
  for (double range : {1e-12, 0.01, 1.0, 40.0, 700.0}) {
    std::uniform_real_distribution<double> x(-range, range);
    for (int i = 0; i < 100000; ++i) {
      const double v = x(random);
      worst = std::max(worst, ulps(exact_exp(v), expl(static_cast<long double>(v))));
    }
  }
  EXPECT_LT(worst, 1.0);
}

TEST(ExactMath, LogIsWithinOneUlp) {
  std::mt19937_64 random(2);
  double worst = 0;
  for (double range : {0.001, 0.3, 3.0, 700.0}) {
    std::uniform_real_distribution<double> x(-range, range);
    for (int i = 0; i < 100000; ++i) {
      const double v = std::exp(x(random));
      worst = std::max(worst, ulps(exact_log(v), logl(static_cast<long double>(v))));
    }
  }
  EXPECT_LT(worst, 1.0);
}

TEST(ExactMath, Edges) {
  EXPECT_EQ(exact_exp(0.0), 1.0);
  EXPECT_EQ(exact_exp(-0.0), 1.0);
  EXPECT_EQ(exact_exp(-kInf), 0.0);
  EXPECT_EQ(exact_exp(-708.5), 0.0);
  EXPECT_GE(exact_exp(-708.0), std::numeric_limits<double>::min());
  EXPECT_LT(ulps(exact_exp(709.78), expl(709.78)), 1.0);
  EXPECT_EQ(exact_exp(709.79), kInf);
  EXPECT_EQ(exact_exp(1e300), kInf);
  EXPECT_EQ(exact_exp(-1e300), 0.0);
  EXPECT_EQ(exact_exp(kInf), kInf);
  EXPECT_TRUE(std::isnan(exact_exp(std::nan(""))));
  EXPECT_EQ(exact_log(1.0), 0.0);
  EXPECT_EQ(exact_log(0.0), -kInf);
  EXPECT_EQ(exact_log(kInf), kInf);
  EXPECT_LT(ulps(exact_log(5e-324), logl(static_cast<long double>(5e-324))), 1.0);
  EXPECT_TRUE(std::isnan(exact_log(-1.0)));
  EXPECT_TRUE(std::isnan(exact_log(std::nan(""))));
}

TEST(ExactMath, KnownBits) {                        // what every machine must print
  EXPECT_EQ(exact_exp(1.0), 0x1.5bf0a8b14576ap+1);  // 0.67 ulp above e
  EXPECT_EQ(exact_exp(-20.0), 0x1.1b48655f37267p-29);
  EXPECT_EQ(exact_log(10.0), 0x1.26bb1bbb55516p+1);
}

TEST(LaneSum, SixteenLanesThenATree) {
  // 2^53 swallows a single 1 added to it, so the result tells which numbers met first.
  std::vector<double> x(33, 0.0);
  x[0] = 0x1p53;
  x[16] = 1;  // same lane: lost
  EXPECT_EQ(lane_sum(x.data(), 33), 0x1p53);
  x[16] = 0;
  x[1] = x[9] = 1;  // lanes 1 and 9 meet each other first: kept
  EXPECT_EQ(lane_sum(x.data(), 33), 0x1p53 + 2);
  x[9] = 0;
  x[8] = 1;  // lane 8 meets lane 0: lost; lane 1 comes last and alone: lost
  EXPECT_EQ(lane_sum(x.data(), 33), 0x1p53);
  for (int64_t n : {0, 1, 15, 16, 17, 1000}) {
    const std::vector<double> ones(n, 1.0);
    EXPECT_EQ(lane_sum(ones.data(), n), static_cast<double>(n));
  }
}

TEST(Philox, KnownAnswers) {  // Random123's kat_vectors, philox4x32 with 10 rounds
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, UniformTakesTheTop53Bits) {
  EXPECT_EQ(uniform53(0, 0), static_cast<double>(0x6627e8d5e169c58dull >> 11) / 0x1p53);
  EXPECT_EQ(uniform53(~0ull, ~0ull) < 1.0, true);
  EXPECT_NE(uniform53(1ull << 32, 0), uniform53(0, 0));  // both halves of seed and of step count
  EXPECT_NE(uniform53(0, 1ull << 32), uniform53(0, 0));
}

}  // namespace
}  // namespace cutaway
