// The executor: every stage and every part of it once per worker and in order, shared tasks once each,
// regions left for hooks and for signals and taken up where they were left; the time of each phase.
#include "model/executor.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>
#include <thread>

#include "core/cpu.h"

namespace cutaway::testing {
namespace {

using RunState = cutaway::Run;  // a test has a Run() of its own

// Stages that note what they did: by worker the (stage, part) pairs, and how often each shared task was
// taken.
struct Log {
  explicit Log(int threads) : seen(threads) {}
  std::vector<std::vector<std::pair<int, int>>> seen;
  std::vector<std::atomic<int>> taken = std::vector<std::atomic<int>>(64);
  std::atomic<int> inner{0};  // barriers inside a stage
};

constexpr int kParts[] = {1, 3, 0, 1, 5, 2};
constexpr int kTasks = 8;
constexpr int kRows = 12;  // of a part, whether 1, 2, 3 or 4 threads share them

// Rows of 1 ms, so many to a part that it has kRows, also where the threads outnumber the cores.
Pacing pacing(int threads) {
  const double slower = std::max(1.0, static_cast<double>(threads) / usable_cores());
  return {kRows / threads * slower + 0.5, 20};
}

std::vector<Stage> stages_of(Log& log) {
  std::vector<Stage> stages;
  int task = 0;
  for (int i = 0; i < 6; ++i) {
    Stage s;
    s.writes = {i};
    if (kParts[i] != 1) s.work = [i](const RunState&) { return Work{kParts[i] * kRows, 1.0}; };
    const bool shared = kParts[i] == 1;
    s.run = [&log, i, shared, task](RunState& run, Worker& w) {
      log.seen[w.id].push_back({i, static_cast<int>(w.rows.begin) / kRows});
      if (i == 1) {  // a stage may meet in the middle
        ++log.inner;
        w.sync();
      }
      if (shared)
        for (int64_t t; (t = run.next_task(w).fetch_add(1)) < kTasks;) ++log.taken[task + t];
    };
    task += shared ? kTasks : 0;
    stages.push_back(std::move(s));
  }
  return stages;
}

std::vector<std::pair<int, int>> everything() {
  std::vector<std::pair<int, int>> out;
  for (int i = 0; i < 6; ++i)
    for (int part = 0; part < kParts[i]; ++part) out.push_back({i, part});
  return out;
}

TEST(Executor, EveryPartOnceOnEveryWorkerInOrder) {
  for (int threads : {1, 2, 3, 4})
    for (int repeat = 0; repeat < 10; ++repeat) {
      Log log(threads);
      const std::vector<Stage> stages = stages_of(log);
      RunState run;
      int regions = 0;
      Executor(stages, run, threads, {}, pacing(threads)).go([&](const Stage* hooked) {
        EXPECT_EQ(hooked, nullptr);
        ++regions;
      });
      EXPECT_GE(regions, 1);
      for (const auto& seen : log.seen) ASSERT_EQ(seen, everything());
      for (int t = 0; t < 2 * kTasks; ++t) ASSERT_EQ(log.taken[t], 1) << "task " << t;
      ASSERT_EQ(log.inner, 3 * threads);
    }
}

TEST(Executor, LeavesTheRegionAfterAHookedValue) {
  for (int threads : {1, 3}) {
    Log log(threads);
    const std::vector<Stage> stages = stages_of(log);
    RunState run;
    const Hooks hooks = {1, 4, 5};
    std::vector<size_t> hooked_stages, done;
    Executor(stages, run, threads, hooks, pacing(threads)).go([&](const Stage* hooked) {
      if (!hooked) return;
      hooked_stages.push_back(static_cast<size_t>(hooked - stages.data()));
      done.push_back(log.seen[0].size());
    });
    EXPECT_EQ(hooked_stages, (std::vector<size_t>{1, 4, 5}));
    EXPECT_EQ(done, (std::vector<size_t>{4, 10, 12}))
        << "all parts of the stage are done, and nothing after it";
    for (const auto& seen : log.seen) EXPECT_EQ(seen, everything());
  }
}

// Long stages: the region is left between parts, so that signals are seen, and goes on with the next part.
TEST(Executor, LeavesLongRegionsForSignals) {
  for (int threads : {1, 3}) {
    std::vector<std::vector<int>> seen(threads);
    std::vector<Stage> stages(1);
    stages[0].work = [](const RunState&) { return Work{6 * kRows, 1.0}; };
    stages[0].run = [&](RunState&, Worker& w) {
      seen[w.id].push_back(static_cast<int>(w.rows.begin) / kRows);
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    };
    RunState run;
    int regions = 0;
    Executor(stages, run, threads, {}, pacing(threads)).go([&](const Stage*) { ++regions; });
    EXPECT_EQ(regions, 6);
    for (const auto& s : seen) EXPECT_EQ(s, (std::vector<int>{0, 1, 2, 3, 4, 5}));
  }
}

// Chained stages: a worker runs all of them on a block before it takes the next; every row once a stage, in
// the order of the stages; the hooked stage ends its chain.
TEST(Executor, ChainsRunBlockByBlock) {
  constexpr int64_t kChainRows = 150;
  constexpr int kStages = 5;
  for (int threads : {1, 2, 3})
    for (bool hooked : {false, true}) {
      std::vector<Stage> stages(kStages);
      std::vector<std::vector<int>> done(kStages, std::vector<int>(kChainRows));
      std::vector<std::vector<int>> order(threads);
      for (int i = 0; i < kStages; ++i) {
        stages[i].by_row = i != 3;
        stages[i].writes = {i};
        stages[i].work = [](const RunState&) { return Work{kChainRows, 0.01, 7}; };
        stages[i].run = [&, i](RunState&, Worker& w) {
          order[w.thread].push_back(i);
          const Range rows = stages[i].by_row ? w.rows : w.share(w.rows);
          if (stages[i].by_row) {
            EXPECT_EQ(w.count, 1);
            EXPECT_EQ(w.share(w.tiles).end - w.share(w.tiles).begin, 7);
          }
          for (int64_t r = rows.begin; r < rows.end; ++r) {
            EXPECT_TRUE(i == 0 || done[i - 1][r] == 1);
            ++done[i][r];
          }
        };
      }
      // Stages 0, 1, 2 are a chain, 3 is none, 4 one by itself. A hook on 1 ends the first chain there.
      const size_t ends[2][kStages] = {{3, 3, 3, 4, 5}, {2, 2, 3, 4, 5}};
      for (int i = 0; i < kStages; ++i) stages[i].chain_end = ends[hooked][i];
      RunState run;
      run.rows = kChainRows;
      const kernels::Table table = kernels_for("scalar");
      run.kernels = &table;
      run.block = Executor::block(stages, run, threads, {});
      EXPECT_EQ(run.block, threads == 1 ? 75 : 150 / threads);
      const Hooks hooks = hooked ? Hooks{1} : Hooks{};
      int seen = 0;
      Executor(stages, run, threads, hooks, {}).go([&](const Stage* s) {
        if (!s) return;
        ++seen;
        EXPECT_EQ(s, &stages[1]);
        EXPECT_EQ(done[1], std::vector<int>(kChainRows, 1));
        EXPECT_EQ(done[2], std::vector<int>(kChainRows, 0));
      });
      EXPECT_EQ(seen, hooked);
      for (const auto& rows : done) EXPECT_EQ(rows, std::vector<int>(kChainRows, 1));
      if (threads == 1 && !hooked) {  // two blocks, then the stage that is no part of the chain
        EXPECT_EQ(order[0], (std::vector<int>{0, 1, 2, 0, 1, 2, 3, 4, 4}));
      }
    }
}

// A chain is left between blocks for signals, and goes on with the blocks that nobody has taken; while worker
// 0 is at its first one, another does most of them; no two workers have one slot at a time.
TEST(Executor, BlocksAreTakenByWhoeverIsFree) {
  constexpr int64_t kChainRows = 320;
  for (int threads : {1, 2, 3}) {
    std::vector<Stage> stages(2);
    std::vector<std::vector<int>> done(2, std::vector<int>(kChainRows));
    constexpr int kMost = 11;
    std::vector<std::atomic<int>> taken(threads);
    RunState run;
    for (int i = 0; i < 2; ++i) {
      stages[i].by_row = true;
      stages[i].chain_end = 2;
      stages[i].work = [](const RunState&) { return Work{kChainRows, 0.01, 1}; };
      stages[i].run = [&, i](RunState& r, Worker& w) {
        EXPECT_EQ(r.slots[w.rows.begin / r.block], w.thread);
        for (int64_t row = w.rows.begin; row < w.rows.end; ++row) ++done[i][row];
        taken[w.thread] += i;
        do std::this_thread::sleep_for(std::chrono::milliseconds(2));
        while (w.thread == 0 && threads == 2 && taken[1] < kMost);
      };
    }
    run.rows = kChainRows;
    run.block = 16;
    run.slots.assign(20, -1);
    int regions = 0;
    Executor(stages, run, threads, {}, {.part_ms = 20, .check_ms = 20}).go([&](const Stage*) { ++regions; });
    for (const auto& rows : done) EXPECT_EQ(rows, std::vector<int>(kChainRows, 1));
    EXPECT_EQ(std::accumulate(taken.begin(), taken.end(), 0), 20);
    if (threads == 1) {
      EXPECT_GT(regions, 1) << "a region of 20 ms had all blocks";
    } else if (threads == 2) {
      EXPECT_GE(taken[1], kMost);
    }
  }
}

// Of each stage by itself: from barrier to barrier. Of a chain: in proportion to the laps of all workers.
TEST(PhaseClock, SharesOutTheTimeOfItsRegions) {
  using std::chrono::milliseconds;
  constexpr int kMany = 11;  // more than a line of the cache holds
  PhaseClock clock(kMany, 3);
  const PhaseClock::Time t0{};
  const auto ms = [&](int n) { return t0 + milliseconds(n); };
  clock.begin(ms(100));
  clock.through(1, 0, ms(103)), clock.through(0, 0, ms(110)), clock.through(2, 0, ms(107));
  clock.met(0, 0);  // a stage by itself: 10 ms, until the last worker is through

  // A chain of stages 1 to 9 that worker 0 does nothing in; others are at the barrier behind it before worker
  // 0 has looked at this one.
  PhaseClock::Time one = ms(110), two = ms(110);
  clock.lap(1, 1, one, ms(120)), clock.lap(1, 9, one, ms(150));
  clock.lap(2, 1, two, ms(130));
  clock.through(0, 1, ms(111)), clock.through(1, 1, ms(150)), clock.through(2, 1, ms(130));
  clock.through(2, 2, ms(155));
  clock.met(1, 1);
  clock.through(0, 2, ms(151)), clock.through(1, 2, ms(152));
  clock.met(10, 2);
  clock.begin(ms(1000));  // a second region, with more of the same stage; what lies between counts nowhere
  for (int w : {0, 1, 2}) clock.through(w, 3, ms(1001 + w));
  clock.met(10, 3);

  std::vector<double> took(kMany, -1);
  const auto add = [&](size_t s, double t) { took[s] = 1e3 * t; };
  clock.share(0, 1, add), clock.share(1, 10, add), clock.share(10, 11, add);
  const std::vector<double> expected = {10, 20, 0, 0, 0, 0, 0, 0, 0, 20, 5 + 3};
  for (int s = 0; s < kMany; ++s) EXPECT_NEAR(took[s], expected[s], 1e-9) << s;
  EXPECT_NEAR(std::accumulate(took.begin(), took.end(), 0.0), 155 - 100 + 3, 1e-9);
}

TEST(PhaseClock, AChainTooShortForTheClockIsSharedEvenly) {
  PhaseClock clock(2, 1);
  clock.begin({});
  clock.through(0, 0, PhaseClock::Time{} + std::chrono::seconds(1));
  clock.met(0, 0);
  clock.share(0, 2, [](size_t, double seconds) { EXPECT_EQ(seconds, 0.5); });
}

// Blocks of a chain that worker 0 has no part in count all the same: each stage gets at least what it slept
// on all workers over their number, and all together no more than the call took.
TEST(Executor, TimesPhasesOnAllWorkers) {
  constexpr int kBlocks = 12;
  using std::chrono::milliseconds;
  for (int threads : {1, 2, 3})
    for (bool hooked : {false, true}) {
      std::vector<Stage> stages(4);
      std::atomic<double> slept[4] = {};
      for (int i = 0; i < 4; ++i) {
        stages[i].by_row = i != 3;
        stages[i].phase = i ? i - 1 : 0;  // two stages are one phase
        stages[i].writes = {i};
        stages[i].work = [](const RunState& r) { return Work{r.rows, 0.01, 1}; };
        stages[i].run = [&, i](RunState&, Worker& w) {
          const int ms = i == 3 ? 1 : w.thread == 0 ? 9 : i == 1 ? 2 : 1;  // worker 0 gets few blocks
          std::this_thread::sleep_for(milliseconds(ms));
          slept[i].fetch_add(1e-3 * ms / (i == 3 ? w.count : 1));
        };
      }
      const size_t ends[2][4] = {{3, 3, 3, 4}, {2, 2, 3, 4}};
      for (int i = 0; i < 4; ++i) stages[i].chain_end = ends[hooked][i];
      RunState run;
      run.rows = kBlocks * 16;
      run.block = 16;
      const Hooks hooks = hooked ? Hooks{1} : Hooks{};
      double between = 0;
      std::vector<double> seconds(4);
      seconds[3] = 7;  // added to
      Executor executor(stages, run, threads, hooks, {});
      executor.seconds = seconds.data();
      const auto began = std::chrono::steady_clock::now();
      executor.go([&](const Stage*) {
        std::this_thread::sleep_for(milliseconds(5));
        between += 0.005;
      });
      const double all = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
      EXPECT_GE(seconds[0], (slept[0] + slept[1]) / threads - 1e-9);
      EXPECT_GE(seconds[1], slept[2] / threads - 1e-9);
      EXPECT_GE(seconds[2], slept[3] - 1e-9);
      EXPECT_EQ(seconds[3], 7);
      EXPECT_LE(seconds[0] + seconds[1] + seconds[2], all - between + 1e-9);
    }
}

TEST(Executor, WhatIsThrownBetweenRegionsGetsThrough) {
  Log log(2);
  const std::vector<Stage> stages = stages_of(log);
  RunState run;
  const Hooks hooks = {1};
  EXPECT_THROW(Executor(stages, run, 2, hooks, pacing(2)).go([](const Stage* s) {
    if (s) throw std::runtime_error("stop");
  }),
               std::runtime_error);
  EXPECT_EQ(log.seen[1].size(), 4u);
}

}  // namespace
}  // namespace cutaway::testing
