#include "tokenizer/word_cache.h"

#include <algorithm>

namespace cutaway {

// The first write to a page takes it from the system: what nearly every text needs is taken now, the slots
// of long words and with them the beginning of the array.
WordCache::WordCache()
    : memory_(kShortSlots * sizeof(Slot) + kLongSlots * sizeof(LongSlot) + kArray * sizeof(int32_t)),
      short_(static_cast<Slot*>(memory_.data())),
      long_(reinterpret_cast<LongSlot*>(short_ + kShortSlots)),
      array_(reinterpret_cast<int32_t*>(long_ + kLongSlots)) {
  long_[0] = {};
}

void WordCache::start_anew() {
  std::memset(static_cast<void*>(short_), 0, kShortSlots * sizeof(Slot));
  std::memset(static_cast<void*>(long_), 0, kLongSlots * sizeof(LongSlot));
  used_ = 0;
}

uint32_t WordCache::keep(std::span<const int32_t> ids, std::string_view word) {
  const size_t at = used_;
  std::copy(ids.begin(), ids.end(), &array_[at]);
  word.copy(reinterpret_cast<char*>(&array_[at + ids.size()]), word.size());
  used_ += ids.size() + (word.size() + sizeof(int32_t) - 1) / sizeof(int32_t);
  return static_cast<uint32_t>(at);
}

void WordCache::put(const Key& k, uint32_t place, std::span<const int32_t> ids) {
  Slot made{k.low, k.high, {}, static_cast<uint32_t>(ids.size())};
  if (ids.size() <= kInline) {
    std::copy(ids.begin(), ids.end(), made.ids);
  } else {
    if (used_ + ids.size() > kArray) start_anew();
    made.ids[0] = static_cast<int32_t>(keep(ids, {}));
  }
  Slot *pair = &short_[place], *beside = &short_[place ^ 2];
  if (pair[1].high) beside[beside[0].high ? 1 : 0] = pair[1];
  if (pair[0].high) pair[1] = pair[0];  // the newest comes first
  pair[0] = made;
}

void WordCache::put_if_free(const Key& k, uint32_t place, int32_t id) {
  for (const uint32_t one : {place, place + 1, place ^ 2, (place ^ 2) + 1}) {
    Slot& slot = short_[one];
    if (slot.high) continue;
    slot = {k.low, k.high, {id}, 1};
    return;
  }
}

void WordCache::put(std::string_view word, uint32_t part, std::span<const int32_t> ids) {
  if (used_ + ids.size() + word.size() > kArray) start_anew();
  const uint64_t hash = hash_bytes(word);
  LongSlot& slot = long_[hash & (kLongSlots - 1)];
  if (slot.size) long_[(hash & (kLongSlots - 1)) ^ 1] = slot;
  slot = {hash, keep(ids, word), static_cast<uint16_t>(word.size() | part),
          static_cast<uint16_t>(ids.size())};
}

void WordCache::settle() {
  for (std::vector<int32_t>* ids : {&scratch, &gathered}) {
    if (ids->capacity() > kKept) std::vector<int32_t>().swap(*ids);
  }
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
  cache->settle();
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(cache));
}

}  // namespace cutaway
