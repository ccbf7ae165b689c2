// The words that a text repeats, with their ids: two flat tables of fixed size, so no text can make them
// grow. Words of up to 15 bytes that became at most 3 tokens lie in 32-byte slots, longer ones (39 bytes, 5
// tokens) in 64-byte slots; a look-up compares whole words, so what is found is right whatever the hash did.
// One cache serves one thread at a time; CachePool hands them out.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "tokenizer/byte_index.h"

namespace cutaway {

class WordCache {
 public:
  static constexpr uint32_t kShort = 15, kLong = 39;  // bytes of a word
  static constexpr int kShortIds = 3, kLongIds = 5;

  struct alignas(32) ShortSlot {
    uint64_t low, high;  // the bytes, and their number (never 0) with the flag in the last byte
    int32_t ids[kShortIds];
    uint32_t count;
  };
  struct alignas(64) LongSlot {
    char bytes[kLong];
    uint8_t size;  // with the flag; 0: free
    int32_t ids[kLongIds];
    uint32_t count;
  };
  static_assert(sizeof(ShortSlot) == 32 && sizeof(LongSlot) == 64);

  WordCache();

  struct Key {
    uint64_t low, high;
  };
  // p: 16 bytes that may be read, of which size (1 to 15) are the word. flag: 0x80 for a part of a word that
  // would read differently on its own, else 0.
  static Key key(const char* p, uint32_t size, uint32_t flag) {
    const Masks& m = kMasks[size];
    return {loaded<uint64_t>(p) & m.low,
            (loaded<uint64_t>(p + 8) & m.high) | static_cast<uint64_t>(size | flag) << 56};
  }
  const ShortSlot* find(const Key& k) const {
    const ShortSlot* pair = &short_[place(k)];
    if (pair[0].low == k.low && pair[0].high == k.high) return pair;
    if (pair[1].low == k.low && pair[1].high == k.high) return pair + 1;
    return nullptr;
  }
  void put(const Key& k, const std::vector<int32_t>& ids);

  const LongSlot* find(std::string_view word, uint32_t flag) const {
    const LongSlot& slot = long_[hash_bytes(word) & (kLongSlots - 1)];
    const bool same =
        slot.size == (word.size() | flag) && std::memcmp(slot.bytes, word.data(), word.size()) == 0;
    return same ? &slot : nullptr;
  }
  void put(std::string_view word, uint32_t flag, const std::vector<int32_t>& ids);

  std::vector<int32_t> scratch;  // the ids of one word, while they are made
  bool met_unknown = false;      // did this text hold bytes without a token?

 private:
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
  static constexpr size_t kShortSlots = size_t{1} << 16, kLongSlots = size_t{1} << 13;  // 2 MiB and 512 KiB
  static size_t place(const Key& k) {
    const uint64_t h = (k.low ^ k.high * 0x9E3779B97F4A7C15u) * 0xA0761D6478BD642Fu;
    return (h >> 40) & (kShortSlots - 2);  // the first of a pair, which shares a line
  }
  template <class T>
  struct Freed {
    void operator()(T* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<ShortSlot[], Freed<ShortSlot>> short_;
  std::unique_ptr<LongSlot[], Freed<LongSlot>> long_;
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

 private:
  std::unique_ptr<WordCache> take();
  void give(std::unique_ptr<WordCache> cache);
  std::mutex mutex_;
  std::vector<std::unique_ptr<WordCache>> free_;
};

}  // namespace cutaway
