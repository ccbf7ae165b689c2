#include "core/amx.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace cutaway {
namespace {

// Intel SDM, vol. 1, chapter 13 (XSAVE) and vol. 2, CPUID; Linux, Documentation/arch/x86/xstate.rst.
constexpr uint64_t kTileConfig = uint64_t{1} << 17, kTileData = uint64_t{1} << 18;  // of XCR0
constexpr uint64_t kTileDataFeature = 18;
constexpr int kGetSupported = 0x1021,
              kRequestPermission = 0x1023;  // ARCH_GET_XCOMP_SUPP, ARCH_REQ_XCOMP_PERM

bool bit(uint32_t word, int i) { return word >> i & 1; }

}  // namespace

AmxMachine this_amx_machine() {
#if defined(__x86_64__) && defined(__linux__)
  return {
      [](uint32_t leaf, uint32_t subleaf) {
        std::array<uint32_t, 4> r{};
        if (!__get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3])) r = {};
        return r;
      },
      [] {
        uint32_t low = 0, high = 0;
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        return uint64_t{high} << 32 | low;
      },
      [](int code, uint64_t argument) { return syscall(SYS_arch_prctl, code, argument) == 0 ? 0 : errno; }};
#else
  return {[](uint32_t, uint32_t) { return std::array<uint32_t, 4>{}; }, [] { return uint64_t{0}; },
          [](int, uint64_t) { return ENOSYS; }};
#endif
}

bool amx_offered(const AmxMachine& machine) {
  const auto [a1, b1, c1, d1] = machine.cpuid(1, 0);
  const auto [a7, b7, c7, d7] = machine.cpuid(7, 0);
  if (!bit(c1, 27) || !bit(d7, 24) || !bit(d7, 25)) return false;  // OSXSAVE, AMX-TILE, AMX-INT8
  if ((machine.xgetbv() & (kTileConfig | kTileData)) != (kTileConfig | kTileData)) return false;
  const auto [a29, b29, c29, d29] = machine.cpuid(0x1D, 1);  // palette 1: 8 tiles, 64 bytes a row, 16 rows
  if (b29 >> 16 < 8 || (b29 & 0xFFFF) < 64 || (c29 & 0xFFFF) < 16) return false;
  uint64_t supported = 0;  // a Linux before 5.16 does not know the question, and hands out no tiles
  return machine.arch_prctl(kGetSupported, reinterpret_cast<uintptr_t>(&supported)) == 0 &&
         (supported & kTileData) != 0;
}

std::string amx_refusal(const AmxMachine& machine) {
  const int error = machine.arch_prctl(kRequestPermission, kTileDataFeature);
  if (error == 0) return "";
  if (error == ENOSPC)
    return "a signal stack of this process (sigaltstack) is too small to hold tile registers";
  return text("Linux refuses tile registers: {}", std::strerror(error));
}

}  // namespace cutaway
