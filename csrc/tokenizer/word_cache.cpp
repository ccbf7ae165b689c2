#include "tokenizer/word_cache.h"

#include <algorithm>
#include <new>

namespace cutaway {
namespace {

template <class T>
T* zeroed(size_t n) {
  void* p = ::operator new[](n * sizeof(T), std::align_val_t{64});
  std::memset(p, 0, n * sizeof(T));
  return static_cast<T*>(p);
}

}  // namespace

WordCache::WordCache() : short_(zeroed<ShortSlot>(kShortSlots)), long_(zeroed<LongSlot>(kLongSlots)) {}

void WordCache::put(const Key& k, const std::vector<int32_t>& ids) {
  if (ids.size() > kShortIds) return;
  ShortSlot* pair = &short_[place(k)];
  if (pair[0].high) pair[1] = pair[0];  // the newer of two stays
  pair[0] = {k.low, k.high, {}, static_cast<uint32_t>(ids.size())};
  std::copy(ids.begin(), ids.end(), pair[0].ids);
}

void WordCache::put(std::string_view word, uint32_t flag, const std::vector<int32_t>& ids) {
  if (ids.size() > kLongIds) return;
  LongSlot& slot = long_[hash_bytes(word) & (kLongSlots - 1)];
  std::memcpy(slot.bytes, word.data(), word.size());
  slot.size = static_cast<uint8_t>(word.size() | flag);
  slot.count = static_cast<uint32_t>(ids.size());
  std::copy(ids.begin(), ids.end(), slot.ids);
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
