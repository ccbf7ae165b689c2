#include "tokenizer/word_cache.h"

#include <algorithm>
#include <new>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace cutaway {

// One huge page, where the system has them: small pages would cost a look-up a miss of the TLB as well.
WordCache::Slot* WordCache::new_slots() {
  void* p = ::operator new[](kShortSlots * sizeof(Slot), kPage);
#ifdef __linux__
  madvise(p, kShortSlots * sizeof(Slot), MADV_HUGEPAGE);  // a wish; without it all works the same
#endif
  return static_cast<Slot*>(p);
}

WordCache::WordCache()
    : short_(new_slots()),
      long_(
          static_cast<LongSlot*>(std::calloc(kLongSlots, sizeof(LongSlot)))),  // zero pages until written to
      bytes_(new char[kBytes]),
      ids_(new int32_t[kIds]) {
  if (!long_) throw std::bad_alloc();
  std::memset(static_cast<void*>(short_.get()), 0, kShortSlots * sizeof(Slot));
}

void WordCache::start_anew() {
  std::memset(static_cast<void*>(short_.get()), 0, kShortSlots * sizeof(Slot));
  std::memset(static_cast<void*>(long_.get()), 0, kLongSlots * sizeof(LongSlot));
  bytes_used_ = ids_used_ = 0;
}

uint32_t WordCache::keep(std::span<const int32_t> ids) {
  std::copy(ids.begin(), ids.end(), &ids_[ids_used_]);
  ids_used_ += ids.size();
  return static_cast<uint32_t>(ids_used_ - ids.size());
}

void WordCache::put(const Key& given, std::span<const int32_t> ids) {
  if (ids_used_ + ids.size() > kIds) start_anew();
  const bool many = ids.size() > kInline;
  const Key k{given.low, given.high | static_cast<uint64_t>(many ? kMany : 0) << 56};
  Slot made{k.low, k.high, {}, static_cast<uint32_t>(ids.size())};
  if (many) {
    made.ids[0] = static_cast<int32_t>(keep(ids));
  } else {
    std::copy(ids.begin(), ids.end(), made.ids);
  }
  Slot *pair = &short_[place(k)], *beside = &short_[place(k) ^ 2];
  if (pair[1].high) beside[beside[0].high ? 1 : 0] = pair[1];
  if (pair[0].high) pair[1] = pair[0];  // the newest comes first
  pair[0] = made;
}

void WordCache::put(std::string_view word, uint32_t part, std::span<const int32_t> ids) {
  if (ids_used_ + ids.size() > kIds || bytes_used_ + word.size() > kBytes) start_anew();
  const uint64_t hash = hash_bytes(word);
  LongSlot& slot = long_[hash & (kLongSlots - 1)];
  if (slot.size) long_[(hash & (kLongSlots - 1)) ^ 1] = slot;
  std::memcpy(&bytes_[bytes_used_], word.data(), word.size());
  slot = {static_cast<uint32_t>(bytes_used_), 0, static_cast<uint32_t>(hash >> 32),
          static_cast<uint16_t>(word.size() | part), static_cast<uint16_t>(ids.size())};
  slot.ids = keep(ids);
  bytes_used_ += word.size();
}

std::unique_ptr<WordCache> CachePool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      std::unique_ptr<WordCache> cache = std::move(free_.back());
      free_.pop_back();
      return cache;
    }
  }
  return std::make_unique<WordCache>();
}

void CachePool::give(std::unique_ptr<WordCache> cache) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(cache));
}

}  // namespace cutaway
