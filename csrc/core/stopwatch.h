// Time that has passed, and the processor time that this thread got of it.
#pragma once
#include <time.h>

#include <utility>

namespace cutaway {

class Stopwatch {
 public:
  double began() const { return wall_; }                           // by the system's clock
  double seconds() const { return now(CLOCK_MONOTONIC) - wall_; }  // since it was made
  double cpu_seconds() const { return now(CLOCK_THREAD_CPUTIME_ID) - cpu_; }
  double lap() {  // seconds since it was made or last asked for a lap
    const double at = now(CLOCK_MONOTONIC);
    return at - std::exchange(lap_, at);
  }

 private:
  static double now(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
  double wall_ = now(CLOCK_MONOTONIC), cpu_ = now(CLOCK_THREAD_CPUTIME_ID), lap_ = wall_;
};

}  // namespace cutaway
