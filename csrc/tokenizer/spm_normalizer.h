// SentencePiece's normaliser: rules of a charsmap, spaces trimmed and run together, a space in front.
// SentencePiece writes a space as U+2581; here the two are one and the same, the plain space, in pieces and
// in text.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/charsmap.h"
#include "tokenizer/spm_file.h"
#include "tokenizer/trie.h"

namespace cutaway {

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581
std::string with_spaces(std::string_view piece);                // each U+2581 as a space

class SpmNormalizer {
 public:
  struct Options {
    bool whitespace_as_suffix = false;  // the space of add_dummy_prefix goes behind the text
    bool keep_invalid = false;          // bytes that are not UTF-8 stay as they are; else each becomes U+FFFD
  };
  SpmNormalizer() = default;
  // user_defined: pieces that no rule touches, as the vocabulary spells them. where: for messages about the
  // charsmap.
  SpmNormalizer(const SpmNormalizerSpec& spec, const std::vector<std::string>& user_defined,
                const Options& options, const std::string& where);

  // Appends the normalised text. origin (may be null): the byte of text that each byte of out stands for,
  // with one entry more for the end.
  void normalize(std::string_view text, std::string& out, std::vector<uint32_t>* origin) const;

  bool escapes() const { return spec_.escape_whitespaces; }
  bool adds_prefix() const { return spec_.add_dummy_prefix && !options_.whitespace_as_suffix; }

 private:
  struct Part {
    std::string_view to;
    uint32_t bytes;  // of the text that it stands for
  };
  Part next(std::string_view text, size_t at) const;
  // The end of the run from `at` that stays as it is. after_space: a space here would be one too many.
  size_t plain_end(std::string_view text, size_t at, bool after_space) const;

  SpmNormalizerSpec spec_;
  Options options_;
  Charsmap charsmap_;
  ByteTrie user_defined_;
  bool keeps_all_ = false;    // nothing changes but U+2581
  bool plain_space_ = false;  // the same of a space
  bool plain_print_ = false;  // and of all of "!" to "~"
  bool plain_[128] = {};      // ASCII bytes that stay as they are when an ASCII byte or nothing follows
};

}  // namespace cutaway
