// A file of our own cache that appears whole or not at all: it is written beside its place, under a lock, and
// then takes its name.
#pragma once
#include <cstdint>
#include <string>
#include <utility>

namespace cutaway {

// A file descriptor that closes itself. Links are not followed.
class Handle {
 public:
  Handle() = default;
  Handle(const std::string& path, int flags);  // of open(2)
  Handle(Handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Handle();
  explicit operator bool() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

class PartFile {
 public:
  static constexpr const char* kSuffix = ".part";  // of a file that is being written, under an exclusive lock

  // Makes the folder, and in it the part file, empty and ours alone. Another process that writes it is waited
  // for, `patience` seconds at most. False where that cannot be, or the disk has no room for `bytes` and as
  // much again.
  PartFile(const std::string& path, uint64_t bytes, double patience);
  ~PartFile();  // removes what was not finished
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  explicit operator bool() const { return static_cast<bool>(file_); }
  int fd() const { return file_.fd(); }
  bool finish();  // gives it its name

 private:
  std::string path_, part_;
  Handle file_;
};

}  // namespace cutaway
