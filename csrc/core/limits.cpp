#include "core/limits.h"

#include <algorithm>
#include <vector>

#include "core/buffer.h"
#include "core/parallel.h"
#include "core/stopwatch.h"

namespace cutaway {
namespace {

// Work per second of all workers together, at best. body(worker) returns how much it did.
template <class F>
double rate(int threads, F&& body) {
  struct alignas(64) Span {  // of a worker, from when all had started
    double began, ended, cpu, work;
  };
  std::vector<Span> spans(static_cast<size_t>(threads));
  size_t team = 1;  // it can be smaller than was asked for
  double work = 0;  // of a call, on all workers
  const double calls = best_rate([&](int64_t times) {
    parallel(threads, [&](Worker& w) {
      if (w.id == 0) team = static_cast<size_t>(w.count);
      w.sync();
      const Stopwatch watch;
      double did = 0;
      for (int64_t i = 0; i < times; ++i) did = body(w);
      const double ended = watch.began() + watch.seconds();
      spans[static_cast<size_t>(w.id)] = {watch.began(), ended, watch.cpu_seconds(), did};
    });
    Span all = spans[0];
    for (size_t i = 1; i < team; ++i) {
      const Span& s = spans[i];
      all = {std::min(all.began, s.began), std::max(all.ended, s.ended), std::min(all.cpu, s.cpu),
             all.work + s.work};
    }
    work = all.work;
    return Took{all.ended - all.began, all.cpu};
  });
  return calls * work;
}

}  // namespace

Limits measure_limits(const kernels::Table& kernels, int threads, int64_t bytes) {
  threads = team_size(threads);  // as a call of the model would
  constexpr int64_t kRounds = 1000, kStep = 256;
  Limits out;
  out.f32_flops = rate(threads, [&](Worker&) {
    alignas(64) float lanes[kernels::kLanes] = {};
    kernels.peak_f32(lanes, kRounds);
    return 2.0 * static_cast<double>(kRounds * kernels.f32_block);
  });
  out.int8_flops = rate(threads, [&](Worker&) {
    alignas(64) int32_t lanes[kernels::kLanes] = {};
    kernels.peak_int8(lanes, kRounds);
    return 2.0 * static_cast<double>(kRounds * kernels.int8_block);
  });
  const int64_t steps = std::max<int64_t>(threads, bytes / kStep);
  Buffer buffer(static_cast<size_t>(steps * kStep));
  std::fill_n(static_cast<uint8_t*>(buffer.data()), buffer.bytes(), uint8_t{1});  // pages of its own
  out.bandwidth = rate(threads, [&](Worker& w) {
    alignas(64) int32_t lanes[kernels::kLanes];
    const int64_t size = (w.last(steps) - w.first(steps)) * kStep;
    kernels.peak_read(lanes, static_cast<const uint8_t*>(buffer.data()) + w.first(steps) * kStep, size);
    return static_cast<double>(size);
  });
  return out;
}

}  // namespace cutaway
