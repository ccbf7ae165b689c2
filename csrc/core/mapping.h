// Bytes of a file as memory: read only, one physical copy for every process that maps them. Only for files
// that nobody shortens, such as our own cache: a page that has gone from the file ends the process.
#pragma once
#include <cstdint>

namespace cutaway {

class Mapping {
 public:
  // Maps [begin, begin + bytes) of an open file, begin a multiple of 2 MiB, so that pages can be huge ones.
  // Throws MemoryLimitError.
  Mapping(int fd, uint64_t begin, uint64_t bytes);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  const uint8_t* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }
  uint64_t resident() const;  // of them in physical memory now
  // Makes every page present, so that no call pays for first touches. False when the file cannot be read.
  bool populate(int threads) const;

 private:
  const uint8_t* data_;
  uint64_t bytes_;
};

}  // namespace cutaway
