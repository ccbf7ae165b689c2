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
    c.note(2, call % 4 ? 0.2 : 0.9, 1.0);
  }
}

// A neighbour that stays: four calls in a row are slow, and with one thread fewer they are faster.
TEST(Crowding, FourInARowLeaveACoreAndTryAgainLater) {
  Crowding c;
  for (int call = 0; call < 4; ++call) {
    ASSERT_EQ(c.threads(2), 2);
    c.note(2, 0.4, 1.0);
  }
  int alone = 0;
  for (; alone < 1000 && c.threads(2) == 1; ++alone) c.note(1, 0.8, 0.8);
  EXPECT_EQ(alone, 63);
  c.note(2, 0.9, 1.0);
  EXPECT_EQ(c.threads(2), 2) << "the neighbour is gone";
}

// A host that stopped a core for a moment: fewer threads are slower than the slow calls were, and are given
// up.
TEST(Crowding, FewerThreadsThatDoNotHelpAreGivenUp) {
  Crowding c;
  for (int call = 0; call < 4; ++call) c.note(c.threads(2), 0.6, 1.0);
  for (int call = 0; call < 4; ++call) {
    ASSERT_EQ(c.threads(2), 1) << call;
    c.note(1, 1.2, 1.2);
  }
  for (int call = 0; call < 64; ++call) {
    ASSERT_EQ(c.threads(2), 2) << "not again at once: " << call;
    c.note(2, 0.6, 1.0);
  }
  for (int call = 0; call < 4; ++call) c.note(c.threads(2), 0.6, 1.0);
  EXPECT_EQ(c.threads(2), 1) << "later it may help";
}

TEST(Crowding, NeverFewerThanOneThread) {
  Crowding c;
  for (int call = 0; call < 40; ++call) {
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
