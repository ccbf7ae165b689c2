#include "format/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "format/utf8.h"

namespace cutaway::format {
namespace {

Stamp stamp_in(const struct stat& st) {
  const auto ns = [](const timespec& t) { return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec; };
  return {static_cast<uint64_t>(st.st_size), ns(st.st_mtim), ns(st.st_ctim), st.st_ino};
}

}  // namespace

std::optional<Stamp> stamp_of(const std::string& path) {
  struct stat st{};
  if (::stat(path.c_str(), &st) != 0 || !S_ISREG(st.st_mode)) return std::nullopt;
  return stamp_in(st);
}

File::File(std::string path) : path_(std::move(path)) {
  // O_NONBLOCK: opening a pipe would otherwise wait for its writer; it means nothing for a regular file.
  fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0) {
    const int why = errno;
    throw FormatError(text("{}: cannot be opened: {}", shown(path_), std::strerror(why)));
  }
  struct stat st{};
  if (::fstat(fd_, &st) != 0 || !S_ISREG(st.st_mode)) {
    close();
    throw FormatError(
        text("{}: is not a regular file; a model is read from a file or a folder", shown(path_)));
  }
  size_ = static_cast<uint64_t>(st.st_size);
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), size_(other.size_), fd_(std::exchange(other.fd_, -1)) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    close();
    path_ = std::move(other.path_);
    size_ = other.size_;
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void File::read(uint64_t offset, uint64_t n, void* out) const {
  if (fd_ < 0) throw FormatError(text("{}: was closed; open the file again to read from it", shown(path_)));
  char* to = static_cast<char*>(out);
  while (n > 0) {
    const size_t step =
        static_cast<size_t>(std::min<uint64_t>(n, 1u << 30));  // Linux reads at most 2 GiB at once
    const ssize_t got = ::pread(fd_, to, step, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int why = errno;
      throw FormatError(
          text("{}: reading at offset {} failed: {}", shown(path_), offset, std::strerror(why)));
    }
    if (got == 0) {
      throw FormatError(
          text("{}: the file ends at offset {}, expected {} more bytes (it had {} bytes when it was opened); "
               "it was "
               "changed while it was read",
               shown(path_), offset, n, size_));
    }
    offset += static_cast<uint64_t>(got);
    n -= static_cast<uint64_t>(got);
    to += got;
  }
}

Stamp File::stamp() const {
  struct stat st{};
  return fd_ >= 0 && ::fstat(fd_, &st) == 0 ? stamp_in(st) : Stamp{};
}

void File::close() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace cutaway::format
