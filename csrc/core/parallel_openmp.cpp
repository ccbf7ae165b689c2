// The OpenMP back end: libgomp keeps the team between regions.
#ifdef CUTAWAY_OPENMP
#include <omp.h>

#include "core/parallel.h"

namespace cutaway::detail {

void start_threads(int threads, RegionBody body, void* context) {
  omp_set_dynamic(0);
  Barrier barrier;
#pragma omp parallel num_threads(threads)
  {
    // The team can be smaller than asked for: OMP_THREAD_LIMIT, or a caller that is a worker of another team.
    const int count = omp_get_num_threads();
    Worker worker{.id = omp_get_thread_num(), .count = count, .barrier = count > 1 ? &barrier : nullptr};
    body(context, worker);
  }
}

}  // namespace cutaway::detail
#endif
