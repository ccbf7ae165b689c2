// A file that is read with pread and never mapped: a mapped file that somebody truncates kills the process, a
// short pread is an exception.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace cutaway::format {

// What the system says of a file's state: a file that was written to has another one.
struct Stamp {
  uint64_t size = 0;
  int64_t mtime_ns = 0, ctime_ns = 0;
  uint64_t inode = 0;
  bool operator==(const Stamp&) const = default;
};
std::optional<Stamp> stamp_of(const std::string& path);  // nothing where there is no regular file

class File {
 public:
  File() = default;
  explicit File(std::string path);  // FormatError when it is missing, not a regular file or not readable
  ~File() { close(); }
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }  // when it was opened
  // Reads exactly n bytes at `offset`; FormatError when the file has become shorter or was closed.
  // Thread-safe.
  void read(uint64_t offset, uint64_t n, void* out) const;
  Stamp stamp() const;  // as it is now
  void close() noexcept;

 private:
  std::string path_;
  uint64_t size_ = 0;
  int fd_ = -1;
};

}  // namespace cutaway::format
