// UTF-8 and the general categories of Unicode 16.0.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace cutaway {

// The order is that of scripts/make_unicode_tables.py.
enum class Category : uint8_t {
  Cn,
  Cc,
  Cf,
  Co,
  Cs,
  Ll,
  Lm,
  Lo,
  Lt,
  Lu,
  Mc,
  Me,
  Mn,
  Nd,
  Nl,
  No,
  Pc,
  Pd,
  Pe,
  Pf,
  Pi,
  Po,
  Ps,
  Sc,
  Sk,
  Sm,
  So,
  Zl,
  Zp,
  Zs
};
inline constexpr int kCategories = 30;
extern const char* const kCategoryNames[kCategories];

Category category(char32_t cp);  // Cn above U+10FFFF

inline bool is_letter(Category c) { return c >= Category::Ll && c <= Category::Lu; }  // \p{L}
inline bool is_number(Category c) { return c >= Category::Nd && c <= Category::No; }  // \p{N}
// \s, the property White_Space: every separator, and six control characters.
inline bool is_space(char32_t cp, Category c) {
  return c >= Category::Zl || (cp >= 9 && cp <= 13) || cp == 0x85;
}

// One step through UTF-8. Ill-formed bytes come one "maximal subpart" at a time (Unicode 16, section 3.9), as
// Python's decoder has them: each becomes one U+FFFD.
struct Utf8Step {
  char32_t cp;     // U+FFFD where not ok
  uint32_t bytes;  // >= 1
  bool ok;
  bool cut;  // not ok only because the text ended inside a character
};
Utf8Step utf8_step_checked(std::string_view text, size_t at);  // any bytes
// The same; characters of 1, 2 and most of 3 bytes without a call.
inline Utf8Step utf8_step(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1, true, false};
  const size_t left = text.size() - at;
  if (lead >= 0xC2 && lead < 0xE0 && left >= 2 && (byte(1) & 0xC0) == 0x80)
    return {(lead & 0x1F) << 6 | (byte(1) & 0x3Fu), 2, true, false};
  // Not E0 and ED, where the second byte tells overlong forms and surrogates apart.
  if (lead > 0xE0 && lead < 0xF0 && lead != 0xED && left >= 3 && (byte(1) & 0xC0) == 0x80 &&
      (byte(2) & 0xC0) == 0x80)
    return {(lead & 0x0F) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu), 3, true, false};
  return utf8_step_checked(text, at);
}

std::string utf8_replaced(std::string_view bytes);  // ill-formed parts become U+FFFD
// Bytes at the end of the text that begin a character and do not end it: 0 to 3.
size_t utf8_unfinished(std::string_view bytes);
void utf8_append(std::string& out, char32_t cp);

}  // namespace cutaway
