// Runs a schedule: regions of stages, left for hooks and for a look at signals.
#pragma once
#include <algorithm>
#include <chrono>
#include <functional>

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
    while (stage_ < stages_.size()) {
      started_ = ended_ = Clock::now();
      hooked_ = nullptr;
      // The cursor goes in by value: worker 0 moves it while others may still be starting.
      parallel(threads_, [this, stage = stage_, part = part_, step = step_](Worker& w) {
        region(w, stage, part, step);
      });
      between(hooked_);
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  // With more threads than cores a part takes that much longer, so it is planned that much shorter.
  static double shortened(double part_ms, int threads) {
    return part_ms * std::min(1.0, static_cast<double>(usable_cores()) / threads);
  }

  // Every worker walks the same stages; worker 0 keeps the cursor and decides, before the barrier, whether to
  // leave.
  void region(Worker& w, size_t stage, int64_t part, int step) {
    w.step = step;
    for (;;) {
      const Stage& s = stages_[stage];
      const bool chained = run_.block && s.by_row;
      const size_t end = chained ? s.chain_end : stage + 1;
      const Stage& last = stages_[end - 1];
      const Parts parts = chained ? Parts(run_.rows, run_.block * w.count)
                                  : Parts(s.work ? s.work(run_) : Work{}, w.count, part_ms_);
      if (w.id == 0) run_.tasks[(w.step + 1) & 1].store(0, std::memory_order_relaxed);
      w.rows = parts.rows(part), w.tiles = parts.tiles(part);
      if (part < parts.count()) {
        if (chained)
          chain(w, stage, end);
        else
          s.run(run_, w);
      }
      const bool done = ++part >= parts.count();
      if (done) stage = end, part = 0;
      // Two flags by turns: a slow worker still reads this step's while worker 0 writes the next one's.
      bool& leave = leave_[w.step & 1];
      ++w.step;
      if (w.id == 0) {
        stage_ = stage, part_ = part, step_ = w.step;
        if (done && !hooks_.empty() && seen(last)) hooked_ = &last;
        leave = hooked_ || stage == stages_.size() || Clock::now() - started_ >= check_period_;
      }
      w.sync();
      if (w.id == 0) note(last);
      if (leave) return;
    }
  }

  // Stages [first, end) on this worker's block of the part's rows.
  void chain(const Worker& w, size_t first, size_t end) {
    Worker own = w.alone();
    own.rows = w.share(w.rows);
    if (own.rows.begin == own.rows.end) return;
    for (size_t i = first; i < end; ++i) {
      own.tiles = {0, stages_[i].work(run_).tiles};
      stages_[i].run(run_, own);
      if (w.id == 0) note(stages_[i]);
    }
  }

  void note(const Stage& s) {
    if (!seconds) return;
    const Clock::time_point now = Clock::now();
    seconds[s.phase] += std::chrono::duration<double>(now - ended_).count();
    ended_ = now;
  }

  bool seen(const Stage& s) const {
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
  const Stage* hooked_ = nullptr;
  Clock::time_point started_, ended_;  // of the region; of its last stage, where that is measured
};

}  // namespace cutaway
