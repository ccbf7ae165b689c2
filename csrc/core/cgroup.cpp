#include "core/cgroup.h"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

namespace cutaway {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// Nothing for a file that is absent, and for "max" and -1, which mean no limit.
std::optional<uint64_t> number_in(const std::string& path) {
  std::istringstream in(first_line(path));
  int64_t n;
  if (!(in >> n) || n < 0) return std::nullopt;
  return static_cast<uint64_t>(n);
}

// The value behind `key` in a file of "key value" lines.
std::optional<uint64_t> entry(const std::string& path, const std::string& key) {
  std::ifstream in(path);
  uint64_t value;
  for (std::string word; in >> word >> value;)
    if (word == key) return value;
  return std::nullopt;
}

struct Hierarchy {
  bool v2;
  std::vector<std::string> groups;  // folders, this process's first
};

// /proc/self/cgroup has a line "id:controllers:path" per v1 hierarchy and "0::path" for v2 (cgroups(7)). In a
// container the path can be the host's, which does not exist below our mount: absent folders have no limits,
// and the mount itself is always looked at.
std::vector<Hierarchy> hierarchies(const std::string& root, const std::string& controller) {
  const std::string mount = root + "/sys/fs/cgroup";
  std::string v2, v1, v1_name = controller;
  std::ifstream in(root + "/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const size_t a = line.find(':'), b = line.find(':', a + 1);
    if (a == std::string::npos || b == std::string::npos) continue;
    const std::string names = line.substr(a + 1, b - a - 1), path = line.substr(b + 1);
    if (names.empty()) v2 = path;
    if (("," + names + ",").find("," + controller + ",") != std::string::npos) v1 = path, v1_name = names;
  }
  const auto upwards = [](const std::string& base, std::string path) {
    std::vector<std::string> out;
    if (path.find("..") != std::string::npos) path.clear();  // above our cgroup namespace
    for (; !path.empty(); path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/')))
      if (path != "/") out.push_back(base + path);
    out.push_back(base);
    return out;
  };
  std::vector<Hierarchy> out = {{true, upwards(mount, v2)}, {false, upwards(mount + "/" + controller, v1)}};
  if (v1_name != controller) out.push_back({false, upwards(mount + "/" + v1_name, v1)});  // "cpu,cpuacct"
  return out;
}

}  // namespace

uint64_t cgroup_bytes(const std::string& root) {
  uint64_t least = UINT64_MAX;
  for (const Hierarchy& h : hierarchies(root, "memory"))
    for (const std::string& group : h.groups) {
      const auto limit = number_in(group + (h.v2 ? "/memory.max" : "/memory.limit_in_bytes"));
      if (!limit) continue;
      uint64_t used = number_in(group + (h.v2 ? "/memory.current" : "/memory.usage_in_bytes")).value_or(0);
      // The page cache counts as used, but its inactive part gives way. In v1 the groups below are counted in
      // total_inactive_file alone.
      auto cache = h.v2 ? std::nullopt : entry(group + "/memory.stat", "total_inactive_file");
      if (!cache) cache = entry(group + "/memory.stat", "inactive_file");
      used -= std::min(used, cache.value_or(0));
      least = std::min(least, *limit > used ? *limit - used : 0);
    }
  return least;
}

int cgroup_cpus(const std::string& root) {
  double least = INT_MAX;
  for (const Hierarchy& h : hierarchies(root, "cpu"))
    for (const std::string& group : h.groups) {
      double quota = 0, period = 0;  // microseconds
      if (h.v2) {
        std::istringstream(first_line(group + "/cpu.max")) >> quota >> period;  // "max 100000": no number
      } else {
        quota = static_cast<double>(number_in(group + "/cpu.cfs_quota_us").value_or(0));
        period = static_cast<double>(number_in(group + "/cpu.cfs_period_us").value_or(0));
      }
      if (quota > 0 && period > 0) least = std::min(least, quota / period);
    }
  return std::max(1, static_cast<int>(least));
}

}  // namespace cutaway
