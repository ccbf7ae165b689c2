#include "alloc_peak.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace cutaway::testing {
namespace {

std::atomic<bool> counting{false};
std::atomic<long long> now{0}, peak{0};

}  // namespace

AllocPeak::AllocPeak() {
  now = 0;
  peak = 0;
  counting = true;
}
AllocPeak::~AllocPeak() { counting = false; }
size_t AllocPeak::bytes() const { return static_cast<size_t>(peak.load()); }

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace {

void* count_new(size_t n) {
  void* p = std::malloc(n ? n : 1);
  if (!p) throw std::bad_alloc();
  if (counting.load(std::memory_order_relaxed)) {
    const long long total = now += static_cast<long long>(malloc_usable_size(p));
    long long seen = peak.load();
    while (total > seen && !peak.compare_exchange_weak(seen, total)) {}
  }
  return p;
}

void count_delete(void* p) {
  if (p && counting.load(std::memory_order_relaxed)) now -= static_cast<long long>(malloc_usable_size(p));
  std::free(p);
}

}  // namespace
#endif
}  // namespace cutaway::testing

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void* operator new(size_t n) { return cutaway::testing::count_new(n); }
void operator delete(void* p) noexcept { cutaway::testing::count_delete(p); }
void operator delete(void* p, size_t) noexcept { cutaway::testing::count_delete(p); }
#endif
