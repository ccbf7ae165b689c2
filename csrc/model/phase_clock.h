// The time of a call by phase, where it is asked for. A stage takes from the barrier before it, or from the
// start of its region, until its last worker is through; who waits, waits on its account. In a chain every
// worker runs all stages on blocks of its own: there that time goes to the stages in proportion to what they
// took on all workers together. So phases add up to the time of their regions; and since no worker is busy
// for longer than the chain takes, no stage gets less than it would if all workers had shared it evenly.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace cutaway {

class PhaseClock {
 public:
  using Time = std::chrono::steady_clock::time_point;

  PhaseClock(size_t stages, int workers)
      : lines_(stages / kPerLine + 1),
        laps_(lines_ * static_cast<size_t>(workers)),
        through_(static_cast<size_t>(workers)),
        wall_(stages) {}

  // By worker 0, before the others start.
  void begin(Time now) { since_ = now; }

  // By any worker in a chain: what a stage has just taken on it.
  void lap(int worker, size_t stage, Time& since, Time now) {
    laps_[lines_ * static_cast<size_t>(worker) + stage / kPerLine].seconds[stage % kPerLine] +=
        seconds(now - since);
    since = now;
  }

  // By every worker before the barrier of its step, then by worker 0 behind it: all are through with the
  // stages from `first` on. Two by turns, since others may reach the next barrier before worker 0 is here.
  void through(int worker, int step, Time now) { through_[static_cast<size_t>(worker)].at[step & 1] = now; }
  void met(size_t first, int step) {
    Time last = since_;
    for (const Through& t : through_) last = std::max(last, t.at[step & 1]);
    wall_[first] += seconds(last - since_);
    since_ = last;
  }

  // When no worker is at work: shares out the time of the chain of stages [first, end), or of the one stage.
  // add(stage, seconds) is called once for each.
  template <class F>
  void share(size_t first, size_t end, F&& add) const {
    double all = 0;
    for (size_t s = first; s < end; ++s) all += took(s);
    for (size_t s = first; s < end; ++s)
      add(s, wall_[first] * (all > 0 ? took(s) / all : 1 / static_cast<double>(end - first)));
  }

 private:
  static constexpr size_t kPerLine = 8;
  struct alignas(64) Line {  // no two workers write to one line of a cache
    double seconds[kPerLine] = {};
  };
  struct alignas(64) Through {
    Time at[2];
  };

  static double seconds(std::chrono::steady_clock::duration d) {
    return std::chrono::duration<double>(d).count();
  }
  double took(size_t stage) const {  // on all workers
    double sum = 0;
    for (size_t line = stage / kPerLine; line < laps_.size(); line += lines_)
      sum += laps_[line].seconds[stage % kPerLine];
    return sum;
  }

  size_t lines_;                  // of a worker
  std::vector<Line> laps_;        // by worker, then stage
  std::vector<Through> through_;  // by worker
  std::vector<double> wall_;      // by stage, the first one of a chain for all of it
  Time since_;
};

}  // namespace cutaway
