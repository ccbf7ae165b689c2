// The words that a text repeats, with their ids. Words of up to 15 bytes lie in 32-byte slots, with up to 3
// ids; more ids, and longer words, lie in an array of fixed size. When it is full the cache starts anew, so
// no text can make it grow. A look-up compares whole words: what is found is right whatever
// the hash did. One cache serves one thread at a time; CachePool hands them out.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/buffer.h"
#include "tokenizer/byte_index.h"

namespace cutaway {

class WordCache {
 public:
  static constexpr uint32_t kShort = 15, kLong = 1023;  // bytes of a word
  static constexpr uint32_t kInline = 3;                // ids of a short word

  struct alignas(32) Slot {
    uint64_t low, high;    // the bytes, and their number (never 0) with the flag in the last byte
    int32_t ids[kInline];  // more than that: the first is their place in the array
    uint32_t count;
  };
  static_assert(sizeof(Slot) == 32);
  struct Key {
    uint64_t low, high;
  };

  WordCache();

  // A flag beside a key's size: a part of a word, where that would read differently on its own.
  static constexpr uint32_t kPart = 0x80;
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
  // The same in the two slots beside those, for a word that find() did not have.
  const Slot* find_beside(const Key& k, uint32_t place) {
    Slot *pair = &short_[place], *beside = &short_[place ^ 2];
    for (int i = 0; i < 2; ++i) {
      if (((beside[i].low ^ k.low) | (beside[i].high ^ k.high)) != 0) continue;
      std::swap(pair[0], pair[1]);
      std::swap(pair[0], beside[i]);
      return pair;
    }
    return nullptr;
  }
  std::span<const int32_t> ids(const Slot& slot) const {
    return {slot.count <= kInline ? slot.ids : &array_[static_cast<size_t>(slot.ids[0])], slot.count};
  }
  // The ids of a short word; no data where it is not there.
  std::span<const int32_t> find(const Key& k) {
    const uint32_t at = place(k);
    const Slot* slot = find(k, at);
    if (!slot) slot = find_beside(k, at);
    return slot ? ids(*slot) : std::span<const int32_t>();
  }
  void put(const Key& k, std::span<const int32_t> ids) { put(k, place(k), ids); }
  void put(const Key& k, uint32_t place, std::span<const int32_t> ids);
  void put_if_free(const Key& k, uint32_t place, int32_t id);  // drives no other word out

  // Words of 16 to 1023 bytes; no data where there is none. part: kLongPart or 0.
  std::span<const int32_t> find(std::string_view word, uint32_t part) const {
    const uint64_t hash = hash_bytes(word);
    for (const size_t beside : {0, 1}) {  // words that newer ones have driven out lie beside their slot
      const LongSlot& slot = long_[(hash & (kLongSlots - 1)) ^ beside];
      const bool same = slot.hash == hash && slot.size == (word.size() | part) &&
                        std::memcmp(&array_[slot.at + slot.count], word.data(), word.size()) == 0;
      if (same) return {&array_[slot.at], slot.count};
    }
    return {};
  }
  void put(std::string_view word, uint32_t part, std::span<const int32_t> ids);

  std::vector<int32_t> scratch, gathered;           // the ids of one word, while they are made
  static constexpr size_t kKept = size_t{1} << 16;  // of them between texts: a word may be a text
  void settle();
  bool met_unknown = false;  // did this text hold bytes without a token?

 private:
  struct LongSlot {
    uint64_t hash;
    uint32_t at;           // in the array: the ids, and then the bytes
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
  static constexpr size_t kShortSlots = size_t{1} << 17, kLongSlots = size_t{1} << 16;  // 4 MiB and 1 MiB
  static constexpr size_t kArray = size_t{7} << 18;                                     // ids: 7 MiB
  uint32_t keep(std::span<const int32_t> ids, std::string_view word);  // their place in the array
  void start_anew();

  // All of it, in huge pages where the system has them: small ones would cost a miss of the TLB for a word,
  // and a fault for every new one.
  Buffer memory_;
  Slot* short_;
  LongSlot* long_;
  int32_t* array_;
  size_t used_ = 0;  // of the array
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
