// Threads: a region runs one function on n threads; inside it, workers meet at a barrier. Nothing in a region
// allocates or throws. Two back ends, OpenMP (parallel_openmp.cpp) and std::thread (parallel_std.cpp); CMake
// picks one.
#pragma once
#include <atomic>
#include <cstdint>

namespace cutaway {

// All workers of a team of `count` wait for each other. Spins for some tens of microseconds, then sleeps;
// with more workers than cores it sleeps at once, since spinning would keep the worker it waits for from
// running.
class Barrier {
 public:
  void wait(int count) noexcept;

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};
};

struct Range {
  int64_t begin = 0, end = 0;
};

struct Worker {
  int id;
  int count;
  Barrier* barrier;             // null when count == 1
  int thread = id;              // whose scratch it uses
  int step = 0;                 // stages this worker has run in this call; picks the task counter
  Range rows = {}, tiles = {};  // of the part of the stage that is being run
  void sync() noexcept {
    if (barrier) barrier->wait(count);
  }
  // The same thread as a team of one.
  Worker alone() const {
    Worker w = *this;
    w.id = 0, w.count = 1, w.barrier = nullptr;
    return w;
  }
  // This worker's share [first, last) of n things, contiguous.
  int64_t first(int64_t n) const { return n * id / count; }
  int64_t last(int64_t n) const { return n * (id + 1) / count; }
  Range share(Range s) const { return {s.begin + first(s.end - s.begin), s.begin + last(s.end - s.begin)}; }
};

using RegionBody = void (*)(void* context, Worker& worker);

// Runs body(context, worker) on `threads` threads, or on as many as can be had, with the engine's
// floating-point environment. After a fork the child has no team and runs on one thread. Throws Error when
// the threads cannot be created.
void run_region(int threads, RegionBody body, void* context);

int usable_cores();  // that this process may run on

// Threads a region asked for `threads` would really get (1 in a forked child).
int usable_threads(int threads);
bool in_forked_child();
// Threads of a call that is told to use `threads`: no more than there are cores, where they would only wait
// for each other. CUTAWAY_OVERSUBSCRIBE lifts that, for tests of what threads do to each other.
int team_size(int threads);
bool oversubscribing();  // whether it is set

template <class F>
void parallel(int threads, F&& f) {
  run_region(threads, [](void* c, Worker& w) { (*static_cast<F*>(c))(w); }, &f);
}

namespace detail {
void start_threads(int threads, RegionBody body, void* context);
}  // namespace detail

}  // namespace cutaway
