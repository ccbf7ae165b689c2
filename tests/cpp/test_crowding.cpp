// When short calls use fewer threads, and when they try more again.
#include <gtest/gtest.h>

#include "model/crowding.h"

namespace cutaway {
namespace {

TEST(Crowding, AnUndisturbedCallKeepsItsThreads) {
  Crowding c;
  for (int call = 0; call < 200; ++call) {
    ASSERT_EQ(c.threads(4), 4);
    c.note(4, 0.95, 1.0);
  }
}

TEST(Crowding, OneSlowCallIsChance) {
  Crowding c;
  for (int call = 0; call < 50; ++call) {
    ASSERT_EQ(c.threads(2), 2);
    c.note(2, call % 2 ? 0.9 : 0.2, 1.0);
  }
}

TEST(Crowding, TwoInARowLeaveACoreAndTryAgainLater) {
  Crowding c;
  for (int call = 0; call < 2; ++call) {
    ASSERT_EQ(c.threads(2), 2);
    c.note(2, 0.4, 1.0);
  }
  int alone = 0;
  for (; alone < 1000 && c.threads(2) == 1; ++alone) c.note(1, 1.0, 1.0);
  EXPECT_EQ(alone, 63);
  c.note(2, 0.9, 1.0);
  EXPECT_EQ(c.threads(2), 2) << "the neighbour is gone";
}

TEST(Crowding, NeverFewerThanOneThread) {
  Crowding c;
  for (int call = 0; call < 20; ++call) {
    const int n = c.threads(3);
    ASSERT_GE(n, 1);
    ASSERT_LE(n, 3);
    c.note(n, 0.1, 1.0);
  }
  EXPECT_EQ(c.threads(3), 1);
  EXPECT_EQ(c.threads(1), 1);
}

}  // namespace
}  // namespace cutaway
