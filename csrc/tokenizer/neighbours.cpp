#include "tokenizer/neighbours.h"

#include <algorithm>

namespace cutaway {
namespace {

uint64_t byte_at(const char* p) { return static_cast<unsigned char>(*p); }
size_t two_at(const char* p) { return static_cast<size_t>(byte_at(p) << 8 | byte_at(p + 1)); }
// Three bytes before a border and `after` (1 to 3) behind it: a place behind those of two bytes.
size_t around(const char* border, uint64_t after) {
  uint64_t word = byte_at(border - 3) | byte_at(border - 2) << 8 | byte_at(border - 1) << 16 |
                  byte_at(border) << 24 | after << 56;
  if (after > 1) word |= byte_at(border + 1) << 32;
  if (after > 2) word |= byte_at(border + 2) << 40;
  return 256 * 256 + ((word * 0x9E3779B97F4A7C15u) >> (64 - Neighbours::kAroundBits));
}
bool beyond_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80; }
bool is_plain(std::string_view text, size_t at) {  // within a character, or between two of ASCII
  return (text[at] & 0xC0) == 0x80 || !(beyond_ascii(text[at]) || beyond_ascii(text[at - 1]));
}
bool has(const uint64_t* set, size_t bit) { return set[bit / 64] >> (bit % 64) & 1; }
void put(uint64_t* set, size_t bit) { set[bit / 64] |= uint64_t{1} << (bit % 64); }

}  // namespace

Neighbours::Neighbours(const FlatStrings& tokens) {
  const std::shared_ptr<uint64_t[]> bits = std::make_shared<uint64_t[]>(kWords);
  for (size_t id = 0; id < tokens.size(); ++id) {
    const std::string_view token = tokens[id];
    if (std::none_of(token.begin(), token.end(), beyond_ascii)) continue;
    for (size_t at = 1; at < token.size(); ++at) {
      if (is_plain(token, at)) continue;
      const char* border = token.data() + at;
      put(bits.get(), at < 3 ? two_at(border - 1) : around(border, std::min<size_t>(token.size() - at, 3)));
    }
  }
  bits_ = bits;
}

bool Neighbours::may_cross(std::string_view text, size_t at) const {
  if (at < 3 || at + 3 > text.size() || is_plain(text, at)) return true;
  const char* border = text.data() + at;
  const uint64_t* bits = bits_.get();
  return has(bits, around(border, 3)) || has(bits, two_at(border - 1)) || has(bits, around(border, 1)) ||
         has(bits, around(border, 2));
}

}  // namespace cutaway
