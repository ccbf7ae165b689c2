// Runs a schedule: regions of stages, left for hooks and for a look at signals.
#pragma once
#include <algorithm>
#include <chrono>
#include <functional>

#include "model/plan.h"

namespace cutaway {

class Executor {
 public:
  // With more threads than cores a part takes that much longer, so it is planned that much shorter.
  Executor(const std::vector<Stage>& stages, Run& run, int threads, const Hooks& hooks, const Pacing& pacing)
      : stages_(stages),
        run_(run),
        threads_(threads),
        hooks_(hooks),
        part_ms_(pacing.part_ms * std::min(1.0, static_cast<double>(usable_cores()) / threads)),
        check_period_(std::chrono::duration_cast<Clock::duration>(
            std::chrono::duration<double, std::milli>(pacing.check_ms))) {}

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

  // Every worker walks the same stages; worker 0 keeps the cursor and decides, before the barrier, whether to
  // leave.
  void region(Worker& w, size_t stage, int64_t part, int step) {
    w.step = step;
    for (;;) {
      const Stage& s = stages_[stage];
      const Parts parts(s.work ? s.work(run_) : Work{}, w.count, part_ms_);
      if (w.id == 0) run_.tasks[(w.step + 1) & 1].store(0, std::memory_order_relaxed);
      w.rows = parts.rows(part), w.tiles = parts.tiles(part);
      if (part < parts.count()) s.run(run_, w);
      const bool done = ++part >= parts.count();
      if (done) ++stage, part = 0;
      // Two flags by turns: a slow worker still reads this step's while worker 0 writes the next one's.
      bool& leave = leave_[w.step & 1];
      ++w.step;
      if (w.id == 0) {
        stage_ = stage, part_ = part, step_ = w.step;
        if (done && !hooks_.empty() && seen(s)) hooked_ = &s;
        leave = hooked_ || stage == stages_.size() || Clock::now() - started_ >= check_period_;
      }
      w.sync();
      if (seconds && w.id == 0) {
        const Clock::time_point now = Clock::now();
        seconds[s.phase] += std::chrono::duration<double>(now - ended_).count();
        ended_ = now;
      }
      if (leave) return;
    }
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
