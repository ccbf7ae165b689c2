// Limits of control groups, read from made-up trees.
#include "core/cgroup.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <climits>
#include <filesystem>
#include <fstream>

#include "core/cpu.h"

namespace cutaway {
namespace {

namespace fs = std::filesystem;

// A folder that stands for "/", removed with it.
class Tree {
 public:
  Tree() {
    std::string name = (fs::temp_directory_path() / "cgroupXXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    root = name;
  }
  ~Tree() { fs::remove_all(root); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  void file(const std::string& path, const std::string& content) const {
    fs::create_directories(fs::path(root + path).parent_path());
    std::ofstream(root + path) << content << "\n";
  }
  void group(const std::string& path, const std::string& limit, int used, int inactive) const {
    file("/sys/fs/cgroup" + path + "/memory.max", limit);
    file("/sys/fs/cgroup" + path + "/memory.current", std::to_string(used));
    file("/sys/fs/cgroup" + path + "/memory.stat", "anon 5\ninactive_file " + std::to_string(inactive));
  }
  std::string root;
};

TEST(Cgroup, NothingThereMeansNoLimit) {
  const Tree t;
  EXPECT_EQ(cgroup_bytes(t.root), UINT64_MAX);
  EXPECT_EQ(cgroup_cpus(t.root), INT_MAX);
  EXPECT_EQ(available_bytes(t.root), UINT64_MAX);
}

TEST(Cgroup, V2TakesTheLeastOfAllAncestors) {
  const Tree t;
  t.file("/proc/self/cgroup", "0::/user.slice/job/step");
  t.file("/proc/meminfo", "MemTotal: 100 kB\nMemAvailable:   90 kB");
  t.group("/user.slice/job/step", "max", 900, 0);
  t.group("/user.slice/job", "10000", 4000, 1500);  // leaves 7500
  t.group("/user.slice", "50000", 9000, 0);         // leaves 41000
  t.group("/other", "10", 0, 0);                    // not ours
  EXPECT_EQ(cgroup_bytes(t.root), 7500u);
  EXPECT_EQ(available_bytes(t.root), 7500u);
  t.group("/user.slice", "12000", 9000, 0);
  EXPECT_EQ(cgroup_bytes(t.root), 3000u);
  t.group("/user.slice/job/step", "800", 900, 50);  // over its limit
  EXPECT_EQ(cgroup_bytes(t.root), 0u);
}

TEST(Cgroup, V2QuotaOfAllAncestors) {
  const Tree t;
  t.file("/proc/self/cgroup", "0::/a/b");
  t.file("/sys/fs/cgroup/a/b/cpu.max", "max 100000");
  EXPECT_EQ(cgroup_cpus(t.root), INT_MAX);
  t.file("/sys/fs/cgroup/a/cpu.max", "350000 100000");
  EXPECT_EQ(cgroup_cpus(t.root), 3);
  t.file("/sys/fs/cgroup/a/b/cpu.max", "50000 100000");
  EXPECT_EQ(cgroup_cpus(t.root), 1);
}

// A container: the path is "/" or the host's, the mount itself is our group.
TEST(Cgroup, TheMountIsLookedAtWhereThePathIsNotBelowIt) {
  for (const char* path : {"0::/", "0::/docker/abc", "0::/../../other"}) {
    const Tree t;
    t.file("/proc/self/cgroup", path);
    t.group("", "5000", 2000, 500);
    t.file("/sys/fs/cgroup/cpu.max", "200000 100000");
    EXPECT_EQ(cgroup_bytes(t.root), 3500u) << path;
    EXPECT_EQ(cgroup_cpus(t.root), 2) << path;
  }
}

TEST(Cgroup, V1) {
  const Tree t;
  t.file("/proc/self/cgroup", "12:pids:/x\n5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/");
  const auto memory = [&](const std::string& path, const char* limit, const char* used, const char* stat) {
    t.file("/sys/fs/cgroup/memory" + path + "/memory.limit_in_bytes", limit);
    t.file("/sys/fs/cgroup/memory" + path + "/memory.usage_in_bytes", used);
    t.file("/sys/fs/cgroup/memory" + path + "/memory.stat", stat);
  };
  memory("", "9223372036854771712", "70000", "inactive_file 0");
  EXPECT_EQ(cgroup_bytes(t.root), 9223372036854771712u - 70000u);  // v1's word for no limit
  memory("/docker", "60000", "20000", "inactive_file 1\ntotal_inactive_file 3000");
  EXPECT_EQ(cgroup_bytes(t.root), 43000u);
  memory("/docker/abc", "30000", "10000", "cache 7\ninactive_file 2000");
  EXPECT_EQ(cgroup_bytes(t.root), 22000u);

  t.file("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "-1");
  t.file("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cgroup_cpus(t.root), INT_MAX);
  t.file("/sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us", "450000");
  t.file("/sys/fs/cgroup/cpu/docker/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cgroup_cpus(t.root), 4);
}

}  // namespace
}  // namespace cutaway
