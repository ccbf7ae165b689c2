// What the control groups of this process leave it: its own group and every group above it, v1 and v2.
#pragma once
#include <cstdint>
#include <string>

namespace cutaway {

// `root` stands before /proc and /sys, so that tests can have their own.
uint64_t cgroup_bytes(const std::string& root = "");  // memory still to be had; UINT64_MAX: no limit
int cgroup_cpus(const std::string& root = "");        // whole CPUs, at least 1; INT_MAX: no quota

}  // namespace cutaway
