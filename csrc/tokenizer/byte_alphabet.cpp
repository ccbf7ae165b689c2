#include "tokenizer/byte_alphabet.h"

#include <array>

#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

struct Alphabet {
  std::array<std::string, 256> spelling;
  std::array<int, 512> byte_of;  // by character; the alphabet lies below U+0200

  Alphabet() {
    byte_of.fill(-1);
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool visible = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      const char32_t character = visible ? static_cast<char32_t>(b) : next++;
      byte_of[character] = b;
      utf8_append(spelling[static_cast<size_t>(b)], character);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet the;
  return the;
}

}  // namespace

std::string_view letter_of(unsigned char byte) { return alphabet().spelling[byte]; }
int byte_of_letter(char32_t cp) { return cp < alphabet().byte_of.size() ? alphabet().byte_of[cp] : -1; }

std::string spelled_bytes(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += letter_of(static_cast<unsigned char>(c));
  return out;
}

bool unspelled_bytes(std::string_view spelling, std::string& bytes) {
  bytes.clear();
  for (size_t i = 0; i < spelling.size();) {
    const Utf8Step step = utf8_step(spelling, i);
    const int byte = step.ok ? byte_of_letter(step.cp) : -1;
    if (byte < 0) return false;
    bytes.push_back(static_cast<char>(byte));
    i += step.bytes;
  }
  return true;
}

}  // namespace cutaway
