// SHA-256 (FIPS 180-4), for names and checksums of kilobytes; large files are hashed elsewhere.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cutaway {

class Sha256 {
 public:
  Sha256& add(const void* data, size_t n);
  Sha256& add(std::string_view s) { return add(s.data(), s.size()); }
  template <class T>
  Sha256& number(T value) {
    return add(&value, sizeof value);
  }
  std::string digest();  // 32 bytes; nothing can be added afterwards

 private:
  void block(const uint8_t* p);
  std::array<uint32_t, 8> state_ = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                    0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
  uint8_t waiting_[64] = {};
  uint64_t bytes_ = 0;
};

std::string hex(std::string_view bytes);

}  // namespace cutaway
