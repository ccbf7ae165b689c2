#include "core/buffer.h"

#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/cpu.h"
#include "core/error.h"

namespace cutaway {
namespace {
constexpr size_t kHuge = size_t{2} << 20;

// Sizes are rounded so that calls of nearly the same shape find each other's buffers: eighths of a power of
// two.
size_t size_class(size_t bytes) {
  size_t step = 4096;
  while (step * 16 < bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

// Pages of their own, zero, untouched, from a multiple of kHuge on; null when there are none.
void* map_pages(size_t bytes) {
  const size_t room = bytes + kHuge;
  void* mapped = room < bytes
                     ? MAP_FAILED
                     : mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(mapped);
  char* const start = begin + (kHuge - reinterpret_cast<uintptr_t>(begin) % kHuge) % kHuge;
  if (start > begin) munmap(begin, start - begin);
  munmap(start + bytes, begin + room - (start + bytes));
  // Huge pages are asked for before the first touch; afterwards it would be too late.
  madvise(start, bytes, MADV_HUGEPAGE);
  return start;
}

size_t rounded(size_t bytes) {
  const size_t step = bytes >= kHuge ? size_t{4096} : 64;
  return std::max(step, (bytes + step - 1) / step * step);
}

void* zeroed(size_t bytes) {
  if (rounded(bytes) < bytes) return nullptr;
  if (bytes >= kHuge) return map_pages(rounded(bytes));
  void* const small = std::aligned_alloc(64, rounded(bytes));
  if (small) std::memset(small, 0, rounded(bytes));
  return small;
}
}  // namespace

Buffer::Buffer(size_t bytes) : data_(zeroed(bytes)), bytes_(bytes) {
  if (!data_) {
    BufferPool::trim_all();
    data_ = zeroed(bytes);
  }
  if (!data_) throw MemoryLimitError(text("cannot allocate {} MiB of memory", bytes >> 20));
}

Buffer::~Buffer() {
  if (bytes_ >= kHuge)
    munmap(data_, rounded(bytes_));
  else
    std::free(data_);
}

BufferPool::BufferPool(size_t keep) : shelf_(std::make_shared<Shelf>()) {
  shelf_->keep = keep;
  std::lock_guard lock(shelves_mutex());
  std::erase_if(shelves(), [](const auto& shelf) { return shelf.expired(); });
  shelves().push_back(shelf_);
}

std::shared_ptr<Buffer> BufferPool::take(size_t bytes) {
  const size_t want = size_class(bytes ? bytes : 1);
  std::unique_ptr<Buffer> found;
  {
    std::lock_guard lock(shelf_->mutex);
    for (auto& b : shelf_->free)
      if (b->bytes() == want) {
        found = std::move(b);
        b = std::move(shelf_->free.back());
        shelf_->free.pop_back();
        shelf_->kept -= want;
        break;
      }
  }
  if (!found) found = std::make_unique<Buffer>(want);
  return {found.release(), [shelf = shelf_](Buffer* b) {
            std::unique_ptr<Buffer> owned(b);
            std::lock_guard lock(shelf->mutex);
            if (shelf->kept + owned->bytes() > shelf->keep) return;
            shelf->kept += owned->bytes();
            shelf->free.push_back(std::move(owned));
          }};
}

// Never destroyed: the last buffer may be let go after the statics are gone.
std::vector<std::weak_ptr<BufferPool::Shelf>>& BufferPool::shelves() {
  static auto* all = new std::vector<std::weak_ptr<Shelf>>;
  return *all;
}

std::mutex& BufferPool::shelves_mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

void BufferPool::trim_all() {
  {
    std::lock_guard lock(shelves_mutex());
    for (const auto& weak : shelves()) {
      const std::shared_ptr<Shelf> shelf = weak.lock();
      if (!shelf) continue;
      std::vector<std::unique_ptr<Buffer>> idle;
      std::lock_guard shelf_lock(shelf->mutex);
      idle.swap(shelf->free);
      shelf->kept = 0;
    }
  }
#if defined(__GLIBC__)
  malloc_trim(0);  // what was too small for pages of its own
#endif
}

uint64_t room_for(uint64_t need) {
  if (const uint64_t have = available_bytes(); have >= need) return have;
  BufferPool::trim_all();
  return available_bytes();
}

}  // namespace cutaway
