// What the machine can do at best, measured: the ceilings beside which a speed is read.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels.h"

namespace cutaway {

struct Limits {
  double f32_flops = 0;   // float32 FLOP/s, a multiply-add is two
  double int8_flops = 0;  // the same of int8 products
  double bandwidth = 0;   // bytes/s of reading a buffer of `bytes` again and again
};

// What `times` calls took.
struct Took {
  double seconds = 0;  // until the last thread was through
  double cpu = 0;      // processor time, on the thread that got the least
};

// Calls per second, at best. took(times) makes so many on every thread. A run counts only when each thread
// has worked for some milliseconds: beside a busy process one call can take as long, in waiting. (Or when it
// took a second, so that this ends.)
template <class F>
double best_rate(F&& took) {
  constexpr int kRuns = 8;
  constexpr double kWork = 0.004, kLong = 1.0;
  for (int64_t times = 1;; times *= 2) {
    double best = std::numeric_limits<double>::infinity();
    int runs = 0;
    for (; runs < kRuns; ++runs) {
      const Took run = took(times);
      if (run.cpu < kWork && run.seconds < kLong) break;
      best = std::min(best, run.seconds);
    }
    if (runs == kRuns) return static_cast<double>(times) / best;
  }
}

// The best of several runs of some milliseconds each, all threads at once; about 0.2 s.
Limits measure_limits(const kernels::Table& kernels, int threads, int64_t bytes);

}  // namespace cutaway
