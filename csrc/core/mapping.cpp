#include "core/mapping.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"

namespace cutaway {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kShare = uint64_t{2} << 20;  // pages are asked for by so many bytes at a time
#if defined(MADV_POPULATE_READ)
constexpr int kPopulateRead = MADV_POPULATE_READ;
#else
constexpr int kPopulateRead = 22;  // Linux 5.14, newer than some C libraries
#endif

}  // namespace

Mapping::Mapping(int fd, uint64_t begin, uint64_t bytes) : bytes_(bytes) {
  void* const at = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(begin));
  if (at == MAP_FAILED) throw MemoryLimitError(text("cannot map {} MiB of a file", bytes >> 20));
  madvise(at, bytes, MADV_HUGEPAGE);  // what is not in the page cache yet is read in huge pages, where it can
  data_ = static_cast<const uint8_t*>(at);
}

Mapping::~Mapping() { munmap(const_cast<uint8_t*>(data_), bytes_); }

uint64_t Mapping::resident() const {
  std::vector<unsigned char> pages((bytes_ + kPage - 1) / kPage);
  if (mincore(const_cast<uint8_t*>(data_), bytes_, pages.data()) != 0) return 0;
  const auto there = std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return p & 1; });
  return std::min<uint64_t>(bytes_, static_cast<uint64_t>(there) * kPage);
}

bool Mapping::populate(int threads) const {
  std::atomic<bool> readable{true};
  const int64_t shares = static_cast<int64_t>((bytes_ + kShare - 1) / kShare);
  parallel(static_cast<int>(std::min<int64_t>(team_size(threads), shares)), [&](Worker& w) {
    const uint64_t first = static_cast<uint64_t>(w.first(shares)) * kShare;
    const uint64_t last = std::min(bytes_, static_cast<uint64_t>(w.last(shares)) * kShare);
    // EINVAL: an older system, where each page comes when it is touched.
    while (madvise(const_cast<uint8_t*>(data_) + first, last - first, kPopulateRead) != 0)
      if (errno != EINTR && errno != EAGAIN) {
        if (errno != EINVAL) readable = false;
        break;
      }
  });
  return readable;
}

}  // namespace cutaway
