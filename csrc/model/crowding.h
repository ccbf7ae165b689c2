// Leaves a core to a busy neighbour. Workers meet some two hundred times a token; beside a process that takes
// half a core, each meeting waits for the worker that is not running, and two threads are slower than one. No
// number of threads changes a bit, so short calls simply use fewer while they find themselves crowded.
// A host that now and then stops a core looks the same for a moment, and there fewer threads are slower: so
// they are tried, and given up when they do not help.
#pragma once
#include <algorithm>
#include <mutex>

namespace cutaway {

class Crowding {
 public:
  // Of the `wanted` threads, those to use in the next short call.
  int threads(int wanted) {
    std::lock_guard lock(mutex_);
    if (wanted <= 1 || fewer_ == 0) return wanted;
    if (--rest_ <= 0) {  // try one more again
      --fewer_;
      rest_ = kRest;
    }
    return std::max(1, wanted - fewer_);
  }

  // After such a call: the processor time that its first worker got, and the time that passed.
  void note(int threads, double cpu_seconds, double seconds) {
    std::lock_guard lock(mutex_);
    if (trial_ > 0) {
      tried_ += seconds / kTrial;
      if (--trial_ == 0 && tried_ > slow_ / kCalls) {
        fewer_ = std::max(0, fewer_ - 1);
        immune_ = kRest;
      }
    } else if (immune_ > 0) {
      --immune_;
    } else if (threads > 1 && cpu_seconds < kShare * seconds) {
      slow_ += seconds;
      if (++crowded_ < kCalls) return;
      ++fewer_;
      rest_ = kRest, trial_ = kTrial, tried_ = 0, crowded_ = 0;
      return;
    }
    if (trial_ == 0) crowded_ = 0, slow_ = 0;
  }

 private:
  static constexpr double kShare = 0.7;  // an undisturbed worker computes or spins: nearly 1
  static constexpr int kCalls = 4;       // so crowded, one after the other: fewer can be chance
  static constexpr int kTrial = 4;       // calls with one thread fewer that must not be slower than those
  static constexpr int kRest = 64;       // calls before one more thread is tried
  std::mutex mutex_;
  int fewer_ = 0, rest_ = 0, crowded_ = 0, trial_ = 0, immune_ = 0;
  double slow_ = 0, tried_ = 0;  // seconds: of the crowded calls; the mean of those on trial
};

}  // namespace cutaway
