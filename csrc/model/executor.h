// Runs a schedule: regions of stages, left for hooks and for a look at signals.
#pragma once
#include <chrono>
#include <functional>

#include "model/plan.h"

namespace cutaway {

class Executor {
 public:
  Executor(const std::vector<Stage>& stages, Run& run, int threads, const Hooks& hooks)
      : stages_(stages), run_(run), threads_(threads), hooks_(hooks) {}

  // between(stage) runs on the calling thread whenever a region has ended; `stage` is the one whose hooked
  // values are complete, or null.
  template <class F>
  void go(F&& between) {
    while (stage_ < stages_.size()) {
      started_ = Clock::now();
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
  static constexpr auto kSignalPeriod = std::chrono::milliseconds(20);

  // Every worker walks the same stages; worker 0 keeps the cursor and decides, before the barrier, whether to
  // leave.
  void region(Worker& w, size_t stage, int part, int step) {
    w.step = step;
    for (;;) {
      const Stage& s = stages_[stage];
      const int parts = s.repeat ? s.repeat(run_) : 1;
      if (w.id == 0) run_.tasks[(w.step + 1) & 1].store(0, std::memory_order_relaxed);
      w.part = part;
      if (part < parts) s.run(run_, w);
      const bool done = ++part >= parts;
      if (done) ++stage, part = 0;
      // Two flags by turns: a slow worker still reads this step's while worker 0 writes the next one's.
      bool& leave = leave_[w.step & 1];
      ++w.step;
      if (w.id == 0) {
        stage_ = stage, part_ = part, step_ = w.step;
        if (done && !hooks_.empty() && seen(s)) hooked_ = &s;
        leave = hooked_ || stage == stages_.size() || Clock::now() - started_ > kSignalPeriod;
      }
      w.sync();
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
  size_t stage_ = 0;
  int part_ = 0, step_ = 0;
  bool leave_[2] = {false, false};
  const Stage* hooked_ = nullptr;
  Clock::time_point started_;
};

}  // namespace cutaway
