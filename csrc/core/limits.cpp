#include "core/limits.h"

#include <algorithm>
#include <chrono>

#include "core/buffer.h"
#include "core/parallel.h"

namespace cutaway {
namespace {

constexpr int kRuns = 8;
constexpr double kSeconds = 0.004;  // of a run

// Calls per second of body(worker) by all workers together, at best.
template <class F>
double rate(int threads, F&& body) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [&](int64_t times) {
    const auto began = Clock::now();
    parallel(threads, [&](Worker& w) {
      for (int64_t i = 0; i < times; ++i) body(w);
    });
    return std::chrono::duration<double>(Clock::now() - began).count();
  };
  for (int64_t times = 1;; times *= 2) {  // until the start of the threads no longer counts
    double best = seconds(times);
    for (int run = 1; run < kRuns; ++run) best = std::min(best, seconds(times));
    if (best >= kSeconds) return static_cast<double>(times) / best;
  }
}

}  // namespace

Limits measure_limits(const kernels::Table& kernels, int threads, int64_t bytes) {
  threads = team_size(threads);  // as a call of the model would
  constexpr int64_t kRounds = 1000, kStep = 256;
  const auto flops = [&](double calls, int64_t macs) {
    return calls * 2.0 * static_cast<double>(kRounds * macs * threads);
  };
  Limits out;
  out.f32_flops = flops(rate(threads,
                             [&](Worker&) {
                               alignas(64) float lanes[kernels::kLanes] = {};
                               kernels.peak_f32(lanes, kRounds);
                             }),
                        kernels.f32_block);
  out.int8_flops = flops(rate(threads,
                              [&](Worker&) {
                                alignas(64) int32_t lanes[kernels::kLanes] = {};
                                kernels.peak_int8(lanes, kRounds);
                              }),
                         kernels.int8_block);
  const int64_t steps = std::max<int64_t>(threads, bytes / kStep);
  Buffer buffer(static_cast<size_t>(steps * kStep));
  std::fill_n(static_cast<uint8_t*>(buffer.data()), buffer.bytes(), uint8_t{1});  // pages of its own
  const double sweeps = rate(threads, [&](Worker& w) {
    alignas(64) int32_t lanes[kernels::kLanes];
    const int64_t first = w.first(steps), last = w.last(steps);
    kernels.peak_read(lanes, static_cast<const uint8_t*>(buffer.data()) + first * kStep,
                      (last - first) * kStep);
  });
  out.bandwidth = sweeps * static_cast<double>(steps * kStep);
  return out;
}

}  // namespace cutaway
