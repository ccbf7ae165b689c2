// The words that a text repeats, with their ids. Words of up to 15 bytes lie in 32-byte slots, with up to 3
// ids; more ids, and longer words, lie in two arrays of fixed size. When one of these is full the cache
// starts anew, so no text can make it grow. A look-up compares whole words: what is found is right whatever
// the hash did. One cache serves one thread at a time; CachePool hands them out.
#pragma once
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/byte_index.h"

namespace cutaway {

class WordCache {
 public:
  static constexpr uint32_t kShort = 15, kLong = 1023;  // bytes of a word
  static constexpr uint32_t kInline = 3;                // ids of a short word

  struct alignas(32) Slot {
    uint64_t low, high;    // the bytes, and their number (never 0) with the flag in the last byte
    int32_t ids[kInline];  // or the first is their place among the many
    uint32_t count;
  };
  static_assert(sizeof(Slot) == 32);
  struct Key {
    uint64_t low, high;
  };

  WordCache();

  // Flags beside a key's size. kPart: a part of a word, where that would read differently on its own. kMany:
  // the slot's ids lie among the many.
  static constexpr uint32_t kPart = 0x80, kMany = 0x40;
  static constexpr uint32_t kLongPart = 0x8000;  // kPart, beside the size of a long word
  // p: 16 bytes that may be read, of which size (1 to 15) are the word.
  static Key key(const char* p, uint32_t size, uint32_t flag) {
    const Masks& m = kMasks[size];
    return {loaded<uint64_t>(p) & m.low,
            (loaded<uint64_t>(p + 8) & m.high) | static_cast<uint64_t>(size | flag) << 56};
  }
  // The word may be in the slot or in the one after it, which shares its line; or in the two beside those,
  // where words go that newer ones have driven out.
  uint32_t place(const Key& k) const {
    const uint64_t h = (k.low ^ k.high * 0x9E3779B97F4A7C15u) * 0xA0761D6478BD642Fu;
    return static_cast<uint32_t>(h >> 40) & (kShortSlots - 2);
  }
  void prefetch(uint32_t place) const {
#ifdef __GNUC__
    __builtin_prefetch(&short_[place]);
#endif
  }
  const Slot* find(const Key& k, uint32_t place) {
    Slot* pair = &short_[place];
    if (((pair[0].low ^ k.low) | (pair[0].high ^ k.high)) == 0) return pair;
    if (((pair[1].low ^ k.low) | (pair[1].high ^ k.high)) != 0) return nullptr;
    std::swap(pair[0], pair[1]);  // the one met last comes first: the branch above is nearly always taken
    return pair;
  }
  // The ids of a short word, however many; no data where it is not there.
  std::span<const int32_t> find(const Key& k) {
    if (const Slot* slot = find_anywhere(k)) return {slot->ids, slot->count};
    if (const Slot* slot = find_anywhere({k.low, k.high | static_cast<uint64_t>(kMany) << 56}))
      return {&ids_[static_cast<size_t>(slot->ids[0])], slot->count};
    return {};
  }
  void put(const Key& k, std::span<const int32_t> ids);

  // Words of 16 to 1023 bytes; no data where there is none. part: kLongPart or 0.
  std::span<const int32_t> find(std::string_view word, uint32_t part) const {
    const uint64_t hash = hash_bytes(word);
    for (const size_t beside : {0, 1}) {  // words that newer ones have driven out lie beside their slot
      const LongSlot& slot = long_[(hash & (kLongSlots - 1)) ^ beside];
      const bool same = slot.size == (word.size() | part) && slot.tag == hash >> 32 &&
                        std::memcmp(&bytes_[slot.bytes], word.data(), word.size()) == 0;
      if (same) return {&ids_[slot.ids], slot.count};
    }
    return {};
  }
  void put(std::string_view word, uint32_t part, std::span<const int32_t> ids);

  std::vector<int32_t> scratch, gathered;  // the ids of one word, while they are made
  bool met_unknown = false;                // did this text hold bytes without a token?

 private:
  struct LongSlot {
    uint32_t bytes, ids;   // places of the word and of its ids
    uint32_t tag;          // of the hash
    uint16_t size, count;  // size 0: free
  };
  struct Masks {
    uint64_t low, high;
  };
  static constexpr std::array<Masks, 16> masks() {
    std::array<Masks, 16> all{};
    for (int n = 0; n < 16; ++n) {
      all[static_cast<size_t>(n)] = {n >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * n)) - 1,
                                     n <= 8 ? 0 : (uint64_t{1} << (8 * (n - 8))) - 1};
    }
    return all;
  }
  static const std::array<Masks, 16> kMasks;
  static constexpr size_t kShortSlots = size_t{1} << 16, kLongSlots = size_t{1} << 17;  // 2 MiB and 2 MiB
  static constexpr size_t kBytes = size_t{1} << 22, kIds = size_t{1} << 20;             // 4 MiB each
  const Slot* find_anywhere(const Key& k) {
    const uint32_t at = place(k);
    if (const Slot* slot = find(k, at)) return slot;
    Slot *pair = &short_[at], *beside = &short_[at ^ 2];
    for (int i = 0; i < 2; ++i) {
      if (((beside[i].low ^ k.low) | (beside[i].high ^ k.high)) != 0) continue;
      std::swap(pair[0], pair[1]);
      std::swap(pair[0], beside[i]);
      return pair;
    }
    return nullptr;
  }
  uint32_t keep(std::span<const int32_t> ids);  // their place among the many
  void start_anew();

  static constexpr std::align_val_t kPage{kShortSlots * sizeof(Slot)};  // 2 MiB
  static Slot* new_slots();
  struct Freed {
    void operator()(Slot* p) const { ::operator delete[](p, kPage); }
  };
  struct Zeroed {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<Slot[], Freed> short_;
  std::unique_ptr<LongSlot[], Zeroed> long_;
  std::unique_ptr<char[]> bytes_;   // of the long words
  std::unique_ptr<int32_t[]> ids_;  // the many
  size_t bytes_used_ = 0, ids_used_ = 0;
};

inline constexpr std::array<WordCache::Masks, 16> WordCache::kMasks = WordCache::masks();

// As many caches as threads encode at once.
class CachePool {
 public:
  class Lease {
   public:
    explicit Lease(CachePool& pool) : pool_(pool), cache_(pool.take()) {}
    ~Lease() { pool_.give(std::move(cache_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    WordCache& operator*() { return *cache_; }

   private:
    CachePool& pool_;
    std::unique_ptr<WordCache> cache_;
  };
  void give(std::unique_ptr<WordCache> cache);

 private:
  std::unique_ptr<WordCache> take();
  std::mutex mutex_;
  std::vector<std::unique_ptr<WordCache>> free_;
};

}  // namespace cutaway
