// The OpenMP back end: libgomp keeps the team between regions.
#ifdef CUTAWAY_OPENMP
#include <omp.h>

#include "core/parallel.h"

namespace cutaway::detail {

void start_threads(int threads, RegionBody body, void* context) {
  omp_set_dynamic(0);
  Barrier barrier(threads);
#pragma omp parallel num_threads(threads)
  {
    Worker worker{omp_get_thread_num(), threads, &barrier, 0, 0};
    body(context, worker);
  }
}

}  // namespace cutaway::detail
#endif
