#include "core/part_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <thread>

namespace cutaway {
namespace {

constexpr auto kLook = std::chrono::milliseconds(5);

// A limit on the size of files would send a signal.
bool has_room(const std::string& folder, uint64_t bytes) {
  struct statvfs disk{};
  struct rlimit limit{};
  if (::statvfs(folder.c_str(), &disk) != 0 || ::getrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
  return disk.f_bavail * disk.f_frsize / 2 >= bytes && limit.rlim_cur >= bytes;
}

Handle locked(const std::string& part, double patience) {
  using Clock = std::chrono::steady_clock;
  const auto most = Clock::now() + std::chrono::duration<double>(patience);
  do {
    Handle file(part, O_RDWR | O_CREAT);
    if (!file) return {};
    if (::flock(file.fd(), LOCK_EX | LOCK_NB) == 0) {
      struct stat here{}, named{};  // the writer before us may have given this very file its final name
      if (::fstat(file.fd(), &here) == 0 && ::lstat(part.c_str(), &named) == 0 &&
          here.st_ino == named.st_ino && here.st_dev == named.st_dev)
        return file;
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) return {};
    if (patience > 0) std::this_thread::sleep_for(kLook);
  } while (Clock::now() < most);
  return {};
}

}  // namespace

Handle::Handle(const std::string& path, int flags)
    : fd_(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600)) {}

Handle::~Handle() {
  if (fd_ >= 0) ::close(fd_);
}

PartFile::PartFile(const std::string& path, uint64_t bytes, double patience)
    : path_(path), part_(path + kSuffix) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (!has_room(folder, bytes)) return;
  file_ = locked(part_, patience);
  if (file_ && ::ftruncate(file_.fd(), 0) != 0) {
    ::unlink(part_.c_str());
    file_ = Handle();
  }
}

PartFile::~PartFile() {
  if (file_) ::unlink(part_.c_str());
}

bool PartFile::finish() {
  if (::rename(part_.c_str(), path_.c_str()) != 0) return false;
  file_ = Handle();
  return true;
}

}  // namespace cutaway
