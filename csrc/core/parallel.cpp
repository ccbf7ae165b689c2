#include "core/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/float_environment.h"

namespace cutaway {
namespace {

std::atomic<bool> forked{false};
std::atomic<int> probed{1};  // the largest team whose threads were seen to start

inline void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");  // takes about as long; YIELD takes no time on most processors
#endif
}

// libgomp exits the process when it cannot create a thread, so we try first, with threads of our own.
void probe(int threads) {
  if (threads <= probed.load()) return;
  std::vector<std::thread> trial;
  trial.reserve(threads);
  try {
    for (int i = 1; i < threads; ++i) trial.emplace_back([] {});
  } catch (const std::system_error&) {
    const size_t got = trial.size() + 1;
    for (auto& t : trial) t.join();
    throw Error(
        text("cannot start {} threads, only {}: the system's limit on threads is reached; pass threads={} or "
             "fewer",
             threads, got, got));
  }
  for (auto& t : trial) t.join();
  probed = threads;
}

struct Region {
  RegionBody body;
  void* context;
};

}  // namespace

void Barrier::wait(int count) noexcept {
  const uint32_t mine = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(mine + 1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  const int spins = count <= usable_cores() ? 2000 : 0;  // 20 to 80 microseconds
  for (int spin = 0; spin < spins; ++spin) {
    if (generation_.load(std::memory_order_acquire) != mine) return;
    pause_cpu();
  }
  while (generation_.load(std::memory_order_acquire) == mine)
    generation_.wait(mine, std::memory_order_acquire);
}

int usable_cores() {
  static const int cores = [] {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
  }();
  return cores;
}

bool in_forked_child() { return forked.load(); }
bool oversubscribing() {
  static const bool set = std::getenv("CUTAWAY_OVERSUBSCRIBE") != nullptr;
  return set;
}
int team_size(int threads) {
  return usable_threads(oversubscribing() ? threads : std::min(threads, usable_cores()));
}

int usable_threads(int threads) { return in_forked_child() ? 1 : threads; }

void run_region(int threads, RegionBody body, void* context) {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { forked = true; });
  (void)registered;
  threads = usable_threads(threads);
  if (threads <= 1) {
    FloatEnvironment scope;
    Worker worker{.id = 0, .count = 1, .barrier = nullptr};
    body(context, worker);
    return;
  }
  probe(threads);
  Region region{body, context};
  detail::start_threads(
      threads,
      [](void* c, Worker& worker) {
        FloatEnvironment scope;
        const Region& r = *static_cast<Region*>(c);
        r.body(r.context, worker);
      },
      &region);
}

}  // namespace cutaway
