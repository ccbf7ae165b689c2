// The std::thread back end: threads are started per region. Slower to start than a kept team; it is what
// ThreadSanitizer understands.
#ifndef CUTAWAY_OPENMP
#include <thread>
#include <vector>

#include "core/parallel.h"

namespace cutaway::detail {

void start_threads(int threads, RegionBody body, void* context) {
  Barrier barrier;
  std::vector<std::thread> team;
  team.reserve(threads - 1);
  for (int id = 1; id < threads; ++id)
    team.emplace_back([=, &barrier] {
      Worker worker{id, threads, &barrier, 0, 0};
      body(context, worker);
    });
  Worker self{0, threads, &barrier, 0, 0};
  body(context, self);
  for (auto& t : team) t.join();
}

}  // namespace cutaway::detail
#endif
