// The std::thread back end: threads are started per region. Slower to start than a kept team; it is what
// ThreadSanitizer understands.
#ifndef CUTAWAY_OPENMP
#include <system_error>
#include <thread>
#include <vector>

#include "core/parallel.h"

namespace cutaway::detail {

void start_threads(int threads, RegionBody body, void* context) {
  Barrier barrier;
  std::atomic<int> count{0};  // the size of the team, once it is known: nobody begins before
  const auto work = [&](int id) {
    count.wait(0);
    Worker worker{.id = id, .count = count.load(), .barrier = count.load() > 1 ? &barrier : nullptr};
    body(context, worker);
  };
  std::vector<std::thread> team;
  team.reserve(threads - 1);
  try {
    for (int id = 1; id < threads; ++id) team.emplace_back(work, id);
  } catch (const std::system_error&) {  // the system's limit, reached since the probe: a smaller team
  }
  count = static_cast<int>(team.size()) + 1;
  count.notify_all();
  work(0);
  for (auto& t : team) t.join();
}

}  // namespace cutaway::detail
#endif
