// Byte-pair encoding whose first symbols are characters, with everything that the Hugging Face library lets a
// vocabulary ask for: marks at word ends, unknown tokens, bytes for what has no token.
#pragma once
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tokenizer/word_model.h"

namespace cutaway {

class CharacterPairModel final : public WordModel {
 public:
  struct Options {
    std::optional<std::string> unknown;  // the piece for characters without a token; none: they are left out
    bool fuse_unknown = false;           // one unknown token for a run of such characters
    std::string continue_prefix;         // before every character but the first of a word
    std::string end_suffix;              // after the last one
    bool byte_fallback = false;          // <0xE2>... where all bytes of a character have such a token
    bool ignore_merges = false;          // a word that is a token is that token
  };
  using MergeRule = std::pair<std::string, std::string>;
  // pieces[id]; "" is none. merges: best first; of two for one pair the later one counts. FormatError,
  // beginning with `where`, for a merge of pieces, or into one, that the vocabulary lacks.
  CharacterPairModel(const std::vector<std::string>& pieces, const std::vector<MergeRule>& merges,
                     Options options, const std::string& where);

  void encode(std::string_view word, std::vector<WordToken>& out,
              std::vector<WordStep>* steps) const override;

 private:
  struct Ranked {
    uint32_t rank;
    int32_t id;
  };
  int32_t find(std::string_view piece) const;
  int32_t unknown() const;

  std::string where_;
  std::vector<std::string> pieces_;
  Options options_;
  std::unordered_map<std::string_view, int32_t> index_;
  std::unordered_map<uint64_t, Ranked> merges_;
};

}  // namespace cutaway
