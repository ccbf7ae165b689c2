// Two flat hash tables with open addressing, built once: tokens by their bytes, and merges by their pair.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/buffer.h"
#include "tokenizer/flat_strings.h"

namespace cutaway {

inline uint64_t mixed(uint64_t a, uint64_t b) {  // the two halves of a 64 x 64 bit product, folded
#ifdef __SIZEOF_INT128__
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
#else
  uint64_t x = (a ^ (b >> 32) ^ (b << 32)) * 0x9E3779B97F4A7C15u;
  return x ^ (x >> 32);
#endif
}

template <class T>
T loaded(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

inline uint64_t hash_bytes(std::string_view s) {
  constexpr uint64_t kA = 0xA0761D6478BD642Fu, kB = 0xE7037ED1A0B428DBu;
  const char* p = s.data();
  const size_t n = s.size();
  uint64_t low = 0, high = 0, state = n * kB;
  if (n > 16) {
    size_t left = n;
    for (; left > 16; left -= 16, p += 16) {
      state = mixed(loaded<uint64_t>(p) ^ kA, loaded<uint64_t>(p + 8) ^ state);
    }
    low = loaded<uint64_t>(p + left - 16), high = loaded<uint64_t>(p + left - 8);
  } else if (n >= 8) {
    low = loaded<uint64_t>(p), high = loaded<uint64_t>(p + n - 8);
  } else if (n >= 4) {
    low = loaded<uint32_t>(p), high = loaded<uint32_t>(p + n - 4);
  } else if (n > 0) {
    const auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<unsigned char>(p[i])); };
    low = byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1);
  }
  return mixed(low ^ kA ^ state, high ^ kB);
}

// The way from a token's bytes to its id. A slot holds the bytes themselves where they are 8 or fewer, so
// most look-ups touch one line of memory.
class TokenIndex {
 public:
  // hidden: ids that are never found, ascending; nor are tokens without bytes. filtered: find_merged() will
  // be asked.
  explicit TokenIndex(FlatStrings tokens, std::span<const int32_t> hidden = {}, bool filtered = false);
  int32_t find(std::string_view bytes) const {
    if (bytes.size() > longest_ || bytes.empty()) return -1;
    const uint64_t key = key_of(bytes);
    const uint32_t size = static_cast<uint32_t>(bytes.size());
    return find(bytes, key, mixed_of(key, size));
  }
  // The same for two neighbours in a word, which mostly make no token: a bit for each hash says so out of a
  // sixteenth of the slots' memory.
  int32_t find_merged(std::string_view bytes) const {
    if (bytes.size() > longest_) return -1;
    const uint64_t key = key_of(bytes);
    const uint64_t mix = mixed_of(key, static_cast<uint32_t>(bytes.size()));
    const uint64_t bit = mix >> filter_shift_;
    return filter_[bit / 64] >> (bit % 64) & 1 ? find(bytes, key, mix) : -1;
  }
  // Has what find() reads first fetched meanwhile.
  void prefetch(std::string_view bytes) const {
#ifdef __GNUC__
    if (!bytes.empty())
      __builtin_prefetch(&slots_[place(key_of(bytes), static_cast<uint32_t>(bytes.size()))]);
#endif
  }
  std::string_view bytes(int32_t id) const { return tokens_[static_cast<size_t>(id)]; }
  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  // Two ids with the same bytes, of which the first is found; {-1, -1} where there are none.
  std::pair<int32_t, int32_t> same() const { return same_; }
  // Every id below has bytes that lead to it.
  int32_t all_found_below() const { return all_found_below_; }
  const FlatStrings& tokens() const { return tokens_; }
  size_t longest() const { return longest_; }

 private:
  struct Slot {
    uint64_t key;  // the bytes, or the hash of more than 8
    int32_t id;
    uint32_t size;  // 0: free
  };
  static uint64_t key_of(std::string_view s) {
    const char* p = s.data();
    const size_t n = s.size();
    const auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<unsigned char>(p[i])); };
    if (n > 8) return hash_bytes(s);
    if (n == 8) return loaded<uint64_t>(p);
    if (n >= 4)
      return loaded<uint32_t>(p) | static_cast<uint64_t>(loaded<uint32_t>(p + n - 4)) << (8 * (n - 4));
    return byte(0) | byte(n / 2) << (8 * (n / 2)) | byte(n - 1) << (8 * (n - 1));
  }
  // The same where 8 bytes may be read.
  static uint64_t quick_key_of(std::string_view s) {
    if (s.size() > 8) return hash_bytes(s);
    return loaded<uint64_t>(s.data()) & (~uint64_t{0} >> (64 - 8 * s.size()));
  }
  static uint64_t mixed_of(uint64_t key, uint32_t size) {
    return mixed(key ^ 0x9E3779B97F4A7C15u, 0xE7037ED1A0B428DBu + size);
  }
  size_t place(uint64_t key, uint32_t size) const { return mixed_of(key, size) & mask_; }
  int32_t find(std::string_view bytes, uint64_t key, uint64_t mix) const {
    const uint32_t size = static_cast<uint32_t>(bytes.size());
    for (size_t at = mix & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.size == 0) return -1;
      if (slot.key == key && slot.size == size &&
          (size <= 8 || tokens_[static_cast<size_t>(slot.id)] == bytes))
        return slot.id;
    }
  }
  static constexpr size_t kFilterBits = 8;  // for a slot
  FlatStrings tokens_;
  Buffer memory_;
  Slot* slots_;  // open addressing, a power of two, at most half full
  size_t mask_ = 0, longest_ = 0;
  std::vector<uint64_t> filter_;  // kFilterBits for a slot; the upper bits of a hash are the place of its bit
  int filter_shift_ = 0;
  std::pair<int32_t, int32_t> same_{-1, -1};
  int32_t all_found_below_;
};

// (left id, right id) -> rank and merged id.
class PairIndex {
 public:
  struct Entry {
    int32_t left = -1, right = -1;
    uint32_t rank = 0;
    int32_t id = -1;
  };
  void reserve(size_t pairs) {
    slots_.assign(std::bit_ceil(pairs * 2 + 2), Entry{});
    mask_ = slots_.size() - 1;
  }
  void put(const Entry& entry) {  // of two equal pairs the later one stays; reserve() made the room
    Entry& slot = slots_[place(entry.left, entry.right)];
    slot = entry;
  }
  const Entry* find(int32_t left, int32_t right) const {
    if (slots_.empty()) return nullptr;
    const Entry& slot = slots_[place(left, right)];
    return slot.id < 0 ? nullptr : &slot;
  }

 private:
  size_t place(int32_t left, int32_t right) const {
    const uint64_t key =
        static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
    size_t at = (key * 0x9E3779B97F4A7C15u >> 20) & mask_;
    while (slots_[at].id >= 0 && (slots_[at].left != left || slots_[at].right != right)) {
      at = (at + 1) & mask_;
    }
    return at;
  }
  std::vector<Entry> slots_;
  size_t mask_ = 0;
};

}  // namespace cutaway
