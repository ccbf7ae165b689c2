// Runs a schedule: regions of stages, left for hooks and for a look at signals.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <optional>

#include "model/phase_clock.h"
#include "model/plan.h"

namespace cutaway {

class Executor {
 public:
  Executor(const std::vector<Stage>& stages, Run& run, int threads, const Hooks& hooks, const Pacing& pacing)
      : stages_(stages),
        run_(run),
        threads_(threads),
        hooks_(hooks),
        part_ms_(shortened(pacing.part_ms, threads)),
        check_period_(std::chrono::duration_cast<Clock::duration>(
            std::chrono::duration<double, std::milli>(pacing.check_ms))) {}

  // Rows of a chain for a worker to take at a time (run.block), by the slowest chain.
  static int64_t block(const std::vector<Stage>& stages, const Run& run, int threads, const Pacing& pacing) {
    if (run.rows <= kFewRows * threads) return 0;
    double slowest = 0;
    for (size_t first = 0; first < stages.size(); first = stages[first].chain_end) {
      if (!stages[first].by_row) continue;
      double row_ms = 0;
      for (size_t s = first; s < stages[first].chain_end; ++s) row_ms += stages[s].work(run).ms;
      slowest = std::max(slowest, row_ms);
    }
    return chain_block(run.rows, slowest / run.kernels->many_rows, threads,
                       shortened(pacing.part_ms, threads), run.int8 ? kInt8RowBlock : kRowBlock);
  }

  double* seconds = nullptr;  // by phase, added to; null: nothing is measured

  // between(stage) runs on the calling thread whenever a region has ended; `stage` is the one whose hooked
  // values are complete, or null.
  template <class F>
  void go(F&& between) {
    if (seconds) clock_.emplace(stages_.size(), threads_);
    while (stage_ < stages_.size()) {
      started_ = Clock::now();
      if (clock_) clock_->begin(started_);
      hooked_ = nullptr;
      leaving_.store(false, std::memory_order_relaxed);
      // The cursor goes in by value: worker 0 moves it while others may still be starting.
      parallel(threads_, [this, stage = stage_, part = part_, step = step_](Worker& w) {
        region(w, stage, part, step);
      });
      between(hooked_);
    }
    if (!clock_) return;
    for (size_t first = 0; first < stages_.size(); first = end_of(first))
      clock_->share(first, end_of(first),
                    [this](size_t s, double took) { seconds[stages_[s].phase] += took; });
  }

 private:
  using Clock = std::chrono::steady_clock;

  // With more threads than cores a part takes that much longer, so it is planned that much shorter.
  static double shortened(double part_ms, int threads) {
    return part_ms * std::min(1.0, static_cast<double>(usable_cores()) / threads);
  }

  // One past the last stage that is run with this one, before the next barrier.
  size_t end_of(size_t stage) const { return chained(stage) ? stages_[stage].chain_end : stage + 1; }
  bool chained(size_t stage) const { return run_.block && stages_[stage].by_row; }

  // Every worker walks the same stages. Worker 0 keeps the cursor, and decides before the barrier whether to
  // leave behind it.
  void region(Worker& w, size_t stage, int64_t part, int step) {
    w.step = step;
    for (;;) {
      const Stage& s = stages_[stage];
      const bool in_blocks = chained(stage);
      const size_t end = end_of(stage);
      const Stage& last = stages_[end - 1];
      if (w.id == 0) run_.tasks[(w.step + 1) % 3].store(0, std::memory_order_relaxed);
      int64_t count = 0;
      bool ends = false;  // for sure; a chain that is left early may have ended all the same
      if (in_blocks) {
        count = (run_.rows + run_.block - 1) / run_.block;
        ends = blocks(w, stage, end, part, count);
      } else {
        const Parts parts(s.work ? s.work(run_) : Work{}, w.count, part_ms_);
        count = parts.count();
        w.rows = parts.rows(part), w.tiles = parts.tiles(part);
        if (part < count) s.run(run_, w);
        ends = part + 1 >= count;
      }
      // Two flags by turns: a slow worker still reads this step's while worker 0 writes the next one's.
      bool& leave = leave_[w.step & 1];
      if (w.id == 0)
        leave = (ends && (end == stages_.size() || seen(last))) || Clock::now() - started_ >= check_period_;
      if (clock_) clock_->through(w.id, w.step, Clock::now());
      w.sync();
      if (clock_ && w.id == 0) clock_->met(stage, w.step);
      part = in_blocks ? std::min(count, part + run_.next_task(w).load(std::memory_order_relaxed)) : part + 1;
      const bool done = part >= count;
      if (done) stage = end, part = 0;
      ++w.step;
      if (w.id == 0) {
        stage_ = stage, part_ = part, step_ = w.step;
        hooked_ = done && seen(last) ? &last : nullptr;
      }
      if (leave) return;
    }
  }

  // Stages [first, end) on blocks of rows, from block `begin` on: a worker takes the next one when it is
  // through with its own, so that a core that others slow down does less. False: worker 0 wants to leave.
  bool blocks(const Worker& w, size_t first, size_t end, int64_t begin, int64_t count) {
    std::atomic<int64_t>& next = run_.next_task(w);
    Clock::time_point since;
    if (clock_) since = Clock::now();
    while (!leaving_.load(std::memory_order_relaxed)) {
      const int64_t block = begin + next.fetch_add(1, std::memory_order_relaxed);
      if (block >= count) return true;
      Worker own = w.alone();
      own.rows = {block * run_.block, std::min((block + 1) * run_.block, run_.rows)};
      if (!run_.slots.empty()) run_.slots[block] = w.thread;
      for (size_t i = first; i < end; ++i) {
        own.tiles = {0, stages_[i].work(run_).tiles};
        stages_[i].run(run_, own);
        if (clock_) clock_->lap(w.id, i, since, Clock::now());
      }
      if (w.id == 0 && Clock::now() - started_ >= check_period_)
        leaving_.store(true, std::memory_order_relaxed);
    }
    return false;
  }

  bool seen(const Stage& s) const {
    if (hooks_.empty()) return false;
    for (ValueId id : s.writes)
      if (hooks_.count(id)) return true;
    return false;
  }

  const std::vector<Stage>& stages_;
  Run& run_;
  int threads_;
  const Hooks& hooks_;
  double part_ms_;
  Clock::duration check_period_;
  size_t stage_ = 0;
  int64_t part_ = 0;
  int step_ = 0;
  bool leave_[2] = {false, false};
  std::atomic<bool> leaving_{false};
  const Stage* hooked_ = nullptr;
  Clock::time_point started_;        // of the region
  std::optional<PhaseClock> clock_;  // where `seconds` are asked for
};

}  // namespace cutaway
