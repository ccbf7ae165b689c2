#include "format/utf8.h"

#include <cstdint>

namespace cutaway::format {

size_t utf8_sequence(std::string_view s) {
  if (s.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(s[i]); };
  const auto tail = [&](size_t i) { return i < s.size() && (byte(i) & 0xC0) == 0x80; };
  const uint8_t b = byte(0);
  if (b < 0x80) return 1;
  if (b < 0xC2) return 0;
  if (b < 0xE0) return tail(1) ? 2 : 0;
  if (b < 0xF0) {
    if (!tail(1) || !tail(2)) return 0;
    if (b == 0xE0 && byte(1) < 0xA0) return 0;   // overlong
    if (b == 0xED && byte(1) >= 0xA0) return 0;  // surrogate
    return 3;
  }
  if (b > 0xF4 || !tail(1) || !tail(2) || !tail(3)) return 0;
  if (b == 0xF0 && byte(1) < 0x90) return 0;   // overlong
  if (b == 0xF4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
  return 4;
}

bool valid_utf8(std::string_view s) {
  while (!s.empty()) {
    const size_t n = utf8_sequence(s);
    if (n == 0) return false;
    s.remove_prefix(n);
  }
  return true;
}

std::string shown(std::string_view s, size_t limit) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  while (!s.empty()) {
    if (out.size() >= limit) return out + "...";
    const size_t n = utf8_sequence(s);
    const uint8_t b = static_cast<uint8_t>(s[0]);
    if (n == 0 || b < 0x20 || b == 0x7F) {
      out += "\\x";
      out += kHex[b >> 4];
      out += kHex[b & 15];
      s.remove_prefix(1);
    } else {
      out += s.substr(0, n);
      s.remove_prefix(n);
    }
  }
  return out;
}

}  // namespace cutaway::format
