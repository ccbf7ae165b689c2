#include "core/cpu.h"

#include <sched.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>

#include "core/amx.h"
#include "core/cgroup.h"
#include "core/error.h"

namespace cutaway {
namespace {

// Whether the processor and the operating system offer an instruction set of isas.def.
bool offers(const std::string& isa) {
  if (isa == "scalar") return true;
#if defined(__x86_64__)
  // __builtin_cpu_supports asks XGETBV too: whether the system keeps the registers. Those of AVX-VNNI are
  // AVX2's.
  __builtin_cpu_init();
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  if (isa == "avx2") return avx2;
  if (isa == "avxvnni") {  // CPUID leaf 7, subleaf 1: EAX bit 4; GCC 12 has no name for it
    unsigned a = 0, b = 0, c = 0, d = 0;
    return avx2 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && a >= 1 &&
           __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
  }
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vnni");
  if (isa == "avx512") return avx512;
  if (isa == "amx") return avx512 && amx_offered(this_amx_machine());
#elif defined(__aarch64__)
  if (isa == "neon") return true;  // part of ARMv8
  if (isa == "neondot") return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
#endif
  return false;
}

struct Entry {
  const char* name;
  const kernels::Table* (*table)();
};
const Entry kEntries[] = {
#define ISA(name, flags) {#name, &kernels::name##_table},
#include "isas.def"
#undef ISA
};

std::string first_line(const char* path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// Cores of this process's affinity mask that are distinct in hardware; hyper-threads share one.
int physical_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 1;
  std::set<std::string> cores;
  int logical = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mask)) continue;
    ++logical;
    const std::string base = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    cores.insert(first_line((base + "physical_package_id").c_str()) + ":" +
                 first_line((base + "core_id").c_str()));
  }
  const bool unknown = cores.empty() || cores.count(":");
  return std::max(1, unknown ? logical : static_cast<int>(cores.size()));
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& n : names) out += (out.empty() ? "" : ", ") + n;
  return out;
}

}  // namespace

std::vector<std::string> isas() {
  std::vector<std::string> out;
  for (const Entry& e : kEntries)
    if (offers(e.name)) out.push_back(e.name);
  return out;
}

const kernels::Table& kernels_for(const std::string& isa) {
  for (const Entry& e : kEntries) {
    if (isa != e.name || !offers(isa)) continue;
    if (const std::string refusal = isa == "amx" ? amx_refusal(this_amx_machine()) : ""; !refusal.empty())
      throw ArgumentError(
          text("isa: this machine has '{}', but this process may not use it: {}; the default is '{}'", isa,
               refusal, isas().back()));
    return *e.table();
  }
  throw ArgumentError(text("isa: this machine has no '{}'; it offers {} (ca.isas())", isa, joined(isas())));
}

std::string default_isa() {
  const char* forced = std::getenv("CUTAWAY_ISA");
  if (!forced || !*forced) return isas().back();
  kernels_for(forced);
  return forced;
}

int default_threads() {
  if (const char* forced = std::getenv("CUTAWAY_THREADS"); forced && *forced) {
    char* end = nullptr;
    const long n = std::strtol(forced, &end, 10);
    if (*end || n < 1 || n > 1024)
      throw ArgumentError(text("CUTAWAY_THREADS is '{}', expected a number from 1 to 1024", forced));
    return static_cast<int>(n);
  }
  return std::min(physical_cores(), cgroup_cpus());
}

uint64_t available_bytes(const std::string& root) {
  uint64_t free_bytes = UINT64_MAX;
  std::ifstream meminfo(root + "/proc/meminfo");
  for (std::string line; std::getline(meminfo, line);)
    if (line.rfind("MemAvailable:", 0) == 0)
      free_bytes = std::strtoull(line.c_str() + 13, nullptr, 10) * 1024;
  return std::min(free_bytes, cgroup_bytes(root));
}

}  // namespace cutaway
