// Whether AMX may be used: by the processor, by the system's registers, and by this process, which has to
// ask.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <string>

namespace cutaway {

// The questions as this machine answers them; tests bring answers of their own.
struct AmxMachine {
  // EAX, EBX, ECX, EDX of a leaf; zeros for one that the processor does not have.
  std::function<std::array<uint32_t, 4>(uint32_t leaf, uint32_t subleaf)> cpuid;
  std::function<uint64_t()> xgetbv;  // XCR0; asked only where CPUID offers the question
  std::function<int(int code, uint64_t argument)> arch_prctl;  // 0 or the error number
};
AmxMachine this_amx_machine();

// Tiles of 16 rows by 64 bytes and products of bytes, whose registers the system keeps and hands out.
bool amx_offered(const AmxMachine& machine);

// Asks Linux to let this process use tiles: once is enough for all its threads and children, asking again
// does no harm. "" or why it refuses. The processor faults on tiles without it.
std::string amx_refusal(const AmxMachine& machine);

}  // namespace cutaway
