// Pre-tokenizers of byte-level BPE: they cut a text into pieces that no merge crosses. Hand-written scanners
// of what the original tokenizers write as a regular expression; \p{L}, \p{N} and \s are Unicode 16.0
// (unicode.h).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cutaway {

// The rule that cut a piece; shown by explain().
enum class Rule : uint8_t {
  added_token,
  contraction,
  letters,
  numbers,
  symbols,
  spaces,
  white_space,  // what stands between white space
  punctuation,
  chinese_character,
  metaspace,
  delimiter,
  script,
  fixed_length,
  pattern,
  between_matches,  // what a pattern, or one of the other rules, left over
  text              // nothing cut it
};
const char* rule_name(Rule rule);
Rule rule_of(std::string_view piece);  // the kind of piece, by its first character that is not a space

struct Pretoken {
  uint32_t begin, end;  // bytes of the text
  Rule rule;
};

// Writes the ends of the next pieces and moves `at` to the last of them; returns how many. They follow one
// another without gaps; fewer than capacity (at least kFewestEnds) only where the text ends. A byte that is
// no part of a UTF-8 character is a symbol.
using Cut = size_t (*)(std::string_view text, size_t& at, uint32_t* ends, size_t capacity);
inline constexpr size_t kFewestEnds = 128;

struct Pretokenizer {
  const char* name = nullptr;
  Cut cut = nullptr;

  explicit operator bool() const { return cut != nullptr; }
  // Appends the pieces of text, in order and without gaps.
  void operator()(std::string_view text, std::vector<Pretoken>& out) const;
};

Pretokenizer find_pretokenizer(std::string_view name);  // empty when there is none of that name
std::string pretokenizer_names();                       // "gpt-2, smollm", for messages

#define PRETOKENIZER(function, name) \
  size_t cut_##function(std::string_view text, size_t& at, uint32_t* ends, size_t capacity);
#include "tokenizer/pretokenizers.def"
#undef PRETOKENIZER

}  // namespace cutaway
