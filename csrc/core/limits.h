// What the machine can do at best, measured: the ceilings beside which a speed is read.
#pragma once
#include <cstdint>

#include "kernels.h"

namespace cutaway {

struct Limits {
  double f32_flops = 0;   // float32 FLOP/s, a multiply-add is two
  double int8_flops = 0;  // the same of int8 products
  double bandwidth = 0;   // bytes/s of reading a buffer of `bytes` again and again
};

// The best of several runs of some milliseconds each, all threads at once; about 0.2 s.
Limits measure_limits(const kernels::Table& kernels, int threads, int64_t bytes);

}  // namespace cutaway
