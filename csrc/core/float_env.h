// The floating-point environment that the determinism contract asks for (docs/determinism.md): round to
// nearest even, subnormals neither flushed nor read as zero. The caller's settings come back when the guard
// ends.
#pragma once
#include <cstdint>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace cutaway {

class ExactFloats {
 public:
#if defined(__x86_64__)
  ExactFloats() : saved_(_mm_getcsr()) {
    _mm_setcsr(0x1f80);
  }  // all exceptions masked, nearest, no FTZ, no DAZ
  ~ExactFloats() { _mm_setcsr(static_cast<unsigned>(saved_)); }
#elif defined(__aarch64__)
  ExactFloats() {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    asm volatile("msr fpcr, %0" ::"r"(uint64_t{0}));
  }
  ~ExactFloats() { asm volatile("msr fpcr, %0" ::"r"(saved_)); }
#else
#error "float_env.h: state how this processor's rounding and flush-to-zero are set"
#endif
  ExactFloats(const ExactFloats&) = delete;
  ExactFloats& operator=(const ExactFloats&) = delete;

 private:
  uint64_t saved_;
};

template <class F>
[[gnu::noinline]] auto call_apart(F& f) {
  return f();
}

// f() under those settings. The arithmetic runs in a function of its own: compilers may move floating-point
// operations across a write of the control word, but not across this call.
template <class F>
auto with_exact_floats(F f) {
  const ExactFloats guard;
  return call_apart(f);
}

}  // namespace cutaway
