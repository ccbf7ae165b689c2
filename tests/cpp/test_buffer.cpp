// The pool behind traces, KV blocks and run state.
#include <gtest/gtest.h>

#include <thread>

#include "core/buffer.h"

namespace cutaway {
namespace {

constexpr size_t kBytes = 100'000;

TEST(BufferPool, GivesABufferBackToWhoAsksForItsSize) {
  BufferPool pool(1 << 20);
  auto first = pool.take(kBytes);
  EXPECT_GE(first->bytes(), kBytes);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first->data()) % 64, 0u);
  first->floats()[3] = 7.0f;
  float* at = first->floats();
  auto second = pool.take(kBytes);  // the first is in use
  EXPECT_NE(second->floats(), at);
  first.reset();
  auto again = pool.take(kBytes - 10);
  EXPECT_EQ(again->floats(), at);
  EXPECT_EQ(again->floats()[3], 7.0f);
}

TEST(BufferPool, LackOfMemoryFreesWhatIsIdleInEveryPool) {
  BufferPool pool(1 << 20), other(1 << 20);
  auto held = pool.take(kBytes), idle = pool.take(kBytes);
  held->floats()[0] = idle->floats()[0] = 7.0f;
  idle.reset();
  other.take(kBytes)->floats()[0] = 7.0f;
  room_for(1);
  EXPECT_EQ(other.take(kBytes)->floats()[0], 7.0f) << "there is room: everything stays";
  room_for(UINT64_MAX);
  EXPECT_EQ(other.take(kBytes)->floats()[0], 0.0f);
  EXPECT_EQ(pool.take(kBytes)->floats()[0], 0.0f);  // a new buffer: they are made of zeros
  EXPECT_EQ(held->floats()[0], 7.0f);
}

TEST(BufferPool, KeepsNoMoreThanItMay) {
  BufferPool pool(kBytes / 2);
  pool.take(kBytes)->floats()[0] = 7.0f;
  EXPECT_EQ(pool.take(kBytes)->floats()[0], 0.0f);
}

TEST(BufferPool, MayDieBeforeItsBuffers) {
  std::shared_ptr<Buffer> held;
  {
    BufferPool pool(1 << 20);
    held = pool.take(kBytes);
  }
  held->floats()[0] = 1.0f;
  held.reset();
}

// Calls and dying views take and return buffers at once, while lack of memory empties every pool and other
// pools come and go. Nobody else writes to a buffer that is held.
TEST(BufferPool, MayBeEmptiedWhileThreadsTakeAndReturn) {
  BufferPool pool(1 << 20);
  std::vector<std::thread> team;
  std::vector<int> wrong(4, 0);
  for (int id = 0; id < 4; ++id)
    team.emplace_back([&pool, id, &mine = wrong[id]] {
      for (int turn = 0; turn < 100; ++turn) {
        const auto a = pool.take(kBytes), b = pool.take(kBytes / (1 + turn % 3));
        const float mark = static_cast<float>(1000 * id + turn);
        a->floats()[0] = b->floats()[7] = mark;
        std::this_thread::yield();
        mine += a->floats()[0] != mark || b->floats()[7] != mark;
      }
    });
  std::shared_ptr<Buffer> survivor;
  for (int turn = 0; turn < 20; ++turn) {
    BufferPool::trim_all();
    survivor = BufferPool(1 << 20).take(kBytes);
  }
  for (auto& t : team) t.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace cutaway
