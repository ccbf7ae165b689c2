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
Utf8Step utf8_step(std::string_view text, size_t at);

std::string utf8_replaced(std::string_view bytes);  // ill-formed parts become U+FFFD
// Bytes at the end of the text that begin a character and do not end it: 0 to 3.
size_t utf8_unfinished(std::string_view bytes);
void utf8_append(std::string& out, char32_t cp);

}  // namespace cutaway
