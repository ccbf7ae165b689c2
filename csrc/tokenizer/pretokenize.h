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
enum class Rule : uint8_t { added_token, contraction, letters, numbers, symbols, spaces, text, pattern };
const char* rule_name(Rule rule);

struct Pretoken {
  uint32_t begin, end;  // bytes of the text
  Rule rule;
};

// Appends the pieces of text, in order and without gaps. A byte that is not part of a UTF-8 character is a
// symbol.
using Pretokenizer = void (*)(std::string_view text, std::vector<Pretoken>& out);

Pretokenizer find_pretokenizer(std::string_view name);  // nullptr when there is none of that name
std::string pretokenizer_names();                       // "gpt-2, smollm", for messages

// GPT-2's pattern on the bytes [begin, end) of text, as if they stood alone.
void scan_gpt2(std::string_view text, size_t begin, size_t end, std::vector<Pretoken>& out);

#define PRETOKENIZER(function, name) \
  void pretokenize_##function(std::string_view text, std::vector<Pretoken>& out);
#include "tokenizer/pretokenizers.def"
#undef PRETOKENIZER

}  // namespace cutaway
