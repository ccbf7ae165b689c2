// SentencePiece's precompiled_charsmap: rules "these bytes become those" (NFKC and what its trainer added),
// as a double array in the layout of darts-clone and a blob of replacements that end in NUL. It comes from
// files, so no index in it is trusted.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cutaway {

class Charsmap {
 public:
  Charsmap() = default;  // no rules
  // blob: u32 bytes of the array, the array, the replacements; an empty one has no rules. FormatError,
  // beginning with `where`, for a blob that contradicts itself.
  Charsmap(std::string_view blob, const std::string& where);

  bool empty() const { return units_.empty(); }
  struct Rule {
    uint32_t bytes = 0;  // of the text that the rule replaces; 0: no rule applies
    std::string_view to;
  };
  // The rule with the longest key that text[at, ..) begins with: what SentencePiece applies.
  Rule longest(std::string_view text, size_t at) const { return match(text, at, true); }
  // The rule with the shortest such key: what Hugging Face's "Precompiled" applies to a grapheme of fewer
  // than 6 bytes as a whole (and else to each of its characters).
  Rule shortest(std::string_view text, size_t at) const { return match(text, at, false); }
  // Is this ASCII byte itself, whatever ASCII byte follows?
  bool plain_ascii(unsigned char byte) const { return byte < 128 && !ruled_[byte]; }

 private:
  Rule match(std::string_view text, size_t at, bool longest) const;
  uint32_t child(uint32_t node, unsigned char byte) const;  // 0: none

  std::vector<uint32_t> units_;
  std::string replacements_;
  bool ruled_[128] = {};
};

}  // namespace cutaway
