// What this machine offers: instruction sets, threads, memory.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernels.h"

namespace cutaway {

std::vector<std::string> isas();  // slowest first, always with "scalar"; the last one is the default
const kernels::Table& kernels_for(const std::string& isa);  // ArgumentError for one this machine lacks
std::string default_isa();                                  // CUTAWAY_ISA, else the last of isas()
int default_threads();  // CUTAWAY_THREADS, else min(affinity, cgroup quota, physical cores)
// Memory that can be had without swapping: min(MemAvailable, what the cgroups leave). `root` as in cgroup.h.
uint64_t available_bytes(const std::string& root = "");

}  // namespace cutaway
