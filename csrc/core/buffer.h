// Aligned memory that outlives the call that filled it: tensors behind NumPy views, run state, KV blocks.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace cutaway {

// Zero when made, 64-byte aligned. From 2 MiB on: pages of its own, aligned to 2 MiB, which the first write
// takes from the system; so a call that is given gigabytes can still be interrupted, and its threads share
// the work. Throws MemoryLimitError.
class Buffer {
 public:
  explicit Buffer(size_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  float* floats() const { return static_cast<float*>(data_); }
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  void* data_;
  size_t bytes_;
};

// Buffers return here when their last owner lets go, so that a traced call in a loop faults no new pages.
// The pool keeps at most `keep` bytes; what does not fit is freed. Thread-safe; may die before its buffers.
class BufferPool {
 public:
  explicit BufferPool(size_t keep);
  std::shared_ptr<Buffer> take(size_t bytes);  // at least `bytes`; contents are undefined
  static void trim_all();                      // frees the idle buffers of every pool of the process

 private:
  struct Shelf {
    std::mutex mutex;
    std::vector<std::unique_ptr<Buffer>> free;
    size_t kept = 0, keep = 0;
  };
  static std::vector<std::weak_ptr<Shelf>>& shelves();  // of all pools; under shelves_mutex()
  static std::mutex& shelves_mutex();
  std::shared_ptr<Shelf> shelf_;
};

// Bytes that can be had. When they are fewer than `need`, idle buffers of every pool are freed first.
uint64_t room_for(uint64_t need);

}  // namespace cutaway
