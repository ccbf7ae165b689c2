// The floating-point environment of the contract: round to nearest even, no flush to zero, no
// denormals-are-zero, all exceptions masked. The caller's word is restored on leaving. (docs/determinism.md)
#pragma once
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace cutaway {

class FloatEnvironment {
 public:
#if defined(__x86_64__)
  FloatEnvironment() : saved_(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~FloatEnvironment() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#else
  FloatEnvironment() = default;
#endif
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;
};

}  // namespace cutaway
