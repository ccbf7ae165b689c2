// A caller that has set its own floating-point control word: flush to zero, round towards zero.
#pragma once
#include "core/float_environment.h"

namespace cutaway::testing {

class CallerWord {
 public:
  CallerWord() : saved_(float_word()) { set_float_word(kWord); }
  ~CallerWord() { set_float_word(saved_); }
  CallerWord(const CallerWord&) = delete;
  CallerWord& operator=(const CallerWord&) = delete;
  bool kept() const { return (float_word() & ~kFlags) == kWord; }  // nobody has changed it

 private:
#if defined(__x86_64__)
  static constexpr FloatWord kWord = 0x1F80 | 0x8000 | 0x0040 | 0x6000;  // masked; FTZ, DAZ, towards zero
  static constexpr FloatWord kFlags = 0x3F;                              // exceptions that were raised
#else
  static constexpr FloatWord kWord = 1 << 24 | 3 << 22;  // FZ, towards zero
  static constexpr FloatWord kFlags = 0;                 // raised exceptions have a register of their own
#endif
  FloatWord saved_;
};

}  // namespace cutaway::testing
