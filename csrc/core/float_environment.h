// The floating-point environment of the contract: round to nearest even, no flush to zero, no
// denormals-are-zero, all exceptions masked. The caller's word is restored on leaving. (docs/determinism.md)
#pragma once
#include <cstdint>
#if defined(__x86_64__)
#include <xmmintrin.h>
#elif !defined(__aarch64__)
#error "csrc/core/float_environment.h: say how this processor's floating-point control word is read and set"
#endif

namespace cutaway {

#if defined(__x86_64__)
using FloatWord = unsigned;  // MXCSR
constexpr FloatWord kExactFloats = 0x1F80;
inline FloatWord float_word() { return _mm_getcsr(); }
inline void set_float_word(FloatWord word) { _mm_setcsr(word); }
#else
using FloatWord = uint64_t;  // FPCR
constexpr FloatWord kExactFloats = 0;
inline FloatWord float_word() {
  FloatWord word;
  __asm__ volatile("mrs %0, fpcr" : "=r"(word));
  return word;
}
inline void set_float_word(FloatWord word) { __asm__ volatile("msr fpcr, %0" : : "r"(word)); }
#endif

class FloatEnvironment {
 public:
  FloatEnvironment() : saved_(float_word()) { set_float_word(kExactFloats); }
  ~FloatEnvironment() { set_float_word(saved_); }
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;

 private:
  FloatWord saved_;
};

}  // namespace cutaway
