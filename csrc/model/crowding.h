// Leaves a core to a busy neighbour. Workers meet some two hundred times a token; beside a process that takes
// half a core, each meeting waits for the worker that is not running, and two threads are slower than one. No
// number of threads changes a bit, so short calls simply use fewer while they find themselves crowded.
#pragma once
#include <algorithm>
#include <atomic>

namespace cutaway {

class Crowding {
 public:
  // Of the `wanted` threads, those to use in the next short call.
  int threads(int wanted) {
    if (wanted <= 1 || fewer_ == 0) return wanted;
    if (rest_.fetch_sub(1) <= 1) {  // try one more again
      fewer_.store(std::max(0, fewer_.load() - 1));
      rest_.store(kRest);
    }
    return std::max(1, wanted - fewer_.load());
  }

  // After such a call: the processor time that its first worker got, and the time that passed.
  void note(int threads, double cpu_seconds, double seconds) {
    if (threads <= 1) return;
    if (cpu_seconds >= kShare * seconds) {
      crowded_ = 0;
    } else if (crowded_.fetch_add(1) + 1 >= kCalls) {
      crowded_ = 0;
      fewer_ = fewer_.load() + 1;
      rest_ = kRest;
    }
  }

 private:
  static constexpr double kShare = 0.7;  // an undisturbed worker computes or spins: nearly 1
  static constexpr int kCalls = 2;       // so crowded, one after the other: a single one can be chance
  static constexpr int kRest = 64;       // calls before one more thread is tried
  std::atomic<int> fewer_{0}, rest_{0}, crowded_{0};
};

}  // namespace cutaway
