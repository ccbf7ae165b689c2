// Encodings as in the Intel SDM, vol. 2: three bytes of VEX (C4), opcode map 0F38, 128 bits, W0.
#if defined(__x86_64__) && defined(__linux__)
#include "tile_trap.h"

#include <ucontext.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "tile_unit.h"

namespace cutaway::testing {
namespace {

// Registers of the interrupted program by their number in an instruction.
const int kRegisters[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                            REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

class Instruction {
 public:
  explicit Instruction(greg_t* registers)
      : registers_(registers), p_(reinterpret_cast<const uint8_t*>(registers[REG_RIP])) {}

  // False where it is none of ours. Afterwards the program goes on behind it.
  bool run() {
    if (p_[0] != 0xC4 || (p_[1] & 0x1F) != 2 || (p_[2] & 0x84) != 0) return false;
    const int prefix = p_[2] & 3, opcode = p_[3];  // prefix: none, 66, F3, F2
    const int reg = p_[4] >> 3 & 7, rm = p_[4] & 7, other = ~p_[2] >> 3 & 15;
    const bool in_memory = p_[4] >> 6 != 3;
    enum { none, x66, xF3, xF2 };
    if (!in_memory) length_ = 5;
    if (opcode == 0x49 && prefix == none && in_memory && reg == 0) {
      tiles::load_config(reinterpret_cast<const void*>(address()));
    } else if (opcode == 0x49 && prefix == none && p_[4] == 0xC0) {
      tiles::release();
    } else if (opcode == 0x49 && prefix == xF2 && !in_memory && rm == 0) {
      tiles::zero(reg);
    } else if (opcode == 0x4B && prefix == xF2 && in_memory && rm == 4) {
      const int64_t base = address();
      tiles::load(reg, reinterpret_cast<const void*>(base), stride_);
    } else if (opcode == 0x4B && prefix == xF3 && in_memory && rm == 4) {
      const int64_t base = address();
      tiles::store(reg, reinterpret_cast<void*>(base), stride_);
    } else if (opcode == 0x5E && !in_memory) {
      tiles::multiply(reg, rm, other, prefix == xF2 || prefix == xF3, prefix == xF2 || prefix == x66);
    } else {
      return false;
    }
    registers_[REG_RIP] += length_;
    return true;
  }

 private:
  int64_t value(int number) const { return registers_[kRegisters[number]]; }

  // Of the memory operand; an index register times its scale is the stride, and no part of the address.
  int64_t address() {
    const int mod = p_[4] >> 6, rm = p_[4] & 7;
    const int high_base = p_[1] & 0x20 ? 0 : 8, high_index = p_[1] & 0x40 ? 0 : 8;
    length_ = 5;
    bool wide = mod == 2;
    int64_t base = 0;
    if (rm == 4) {
      const int sib = p_[length_++], index = (sib >> 3 & 7) | high_index;
      stride_ = index == 4 ? 0 : value(index) << (sib >> 6);
      if ((sib & 7) == 5 && mod == 0)
        wide = true;
      else
        base = value((sib & 7) | high_base);
    } else if (rm == 5 && mod == 0) {
      base = registers_[REG_RIP] + 9;  // behind the four bytes that follow
      wide = true;
    } else {
      base = value(rm | high_base);
    }
    if (wide) {
      int32_t displacement;
      std::memcpy(&displacement, p_ + length_, 4);
      length_ += 4;
      return base + displacement;
    }
    return mod == 1 ? base + static_cast<int8_t>(p_[length_++]) : base;
  }

  greg_t* registers_;
  const uint8_t* p_;
  int length_ = 0;
  int64_t stride_ = 0;
};

void on_illegal_instruction(int, siginfo_t*, void* context) {
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const uint8_t* p = reinterpret_cast<const uint8_t*>(registers[REG_RIP]);
  const char* fault = "not an instruction of AMX that is known here";
  try {
    if (Instruction(registers).run()) return;
  } catch (const std::logic_error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    fault = "a fault of the tile unit";
  }
  std::fprintf(stderr, "%02x %02x %02x %02x %02x: %s\n", p[0], p[1], p[2], p[3], p[4], fault);
  std::abort();
}

}  // namespace

TileTrap::TileTrap() {
  struct sigaction action = {};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, &before_);
}

TileTrap::~TileTrap() { sigaction(SIGILL, &before_, nullptr); }

}  // namespace cutaway::testing
#endif
