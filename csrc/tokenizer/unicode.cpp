#include "tokenizer/unicode.h"

#include "tokenizer/characters.h"

namespace cutaway {
namespace {

constexpr Utf8Step bad(uint32_t bytes, bool cut) { return {0xFFFD, bytes, false, cut}; }

}  // namespace

const char* const kCategoryNames[kCategories] = {"Cn", "Cc", "Cf", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu",
                                                 "Mc", "Me", "Mn", "Nd", "Nl", "No", "Pc", "Pd", "Pe", "Pf",
                                                 "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl", "Zp", "Zs"};

Category category(char32_t cp) {
  if (cp > 0x10FFFF) return Category::Cn;
  const CharClass c = CharTable::get().of(cp);
  return c < kCategories ? static_cast<Category>(c) : Category::Cc;
}

Utf8Step utf8_step_checked(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(at);
  if (lead < 0x80) return {lead, 1, true, false};
  if (lead < 0xC2 || lead > 0xF4) return bad(1, false);
  const uint32_t n = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte alone decides overlong forms, surrogates and code points above U+10FFFF (Unicode 16,
  // table 3-7).
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t cp = lead & (0xFF >> (n + 1));
  for (uint32_t i = 1; i < n; ++i) {
    if (at + i == text.size()) return bad(i, true);
    const unsigned b = byte(at + i);
    if (b < (i == 1 ? low : 0x80u) || b > (i == 1 ? high : 0xBFu)) return bad(i, false);
    cp = cp << 6 | (b & 0x3F);
  }
  return {cp, n, true, false};
}

std::string utf8_replaced(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size();) {
    const Utf8Step step = utf8_step(bytes, i);
    if (step.ok) {
      out.append(bytes.substr(i, step.bytes));
    } else {
      utf8_append(out, 0xFFFD);
    }
    i += step.bytes;
  }
  return out;
}

size_t utf8_unfinished(std::string_view bytes) {
  for (size_t n = 1; n <= 3 && n <= bytes.size(); ++n) {
    const Utf8Step step = utf8_step(bytes, bytes.size() - n);
    if (step.cut && step.bytes == n) return n;
  }
  return 0;
}

void utf8_append(std::string& out, char32_t cp) {
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (cp < 0x80) {
    put(cp);
  } else if (cp < 0x800) {
    put(0xC0 | cp >> 6), put(0x80 | (cp & 63));
  } else if (cp < 0x10000) {
    put(0xE0 | cp >> 12), put(0x80 | (cp >> 6 & 63)), put(0x80 | (cp & 63));
  } else {
    put(0xF0 | cp >> 18), put(0x80 | (cp >> 12 & 63)), put(0x80 | (cp >> 6 & 63)), put(0x80 | (cp & 63));
  }
}

}  // namespace cutaway
