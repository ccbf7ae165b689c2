// WordPiece (Schuster and Nakajima 2012, as BERT has it): the longest piece that a word begins with, then the
// longest continuing piece that the rest begins with, and so on. A word that cannot be covered, or one too
// long, is one unknown token.
#pragma once
#include <string>

#include "tokenizer/trie.h"
#include "tokenizer/word_model.h"

namespace cutaway {

class WordPieceModel final : public WordModel {
 public:
  struct Options {
    int32_t unknown = -1;                // -1: a word that cannot be covered is left out
    std::string begin_prefix;            // how the vocabulary marks pieces that begin a word: "" or U+2581
    std::string continue_prefix = "##";  // and those that continue one
    uint32_t longest_word = 100;         // characters
  };
  // pieces: [n] as the vocabulary spells them, by id; "" is no piece.
  WordPieceModel(const std::vector<std::string>& pieces, const Options& options);

  void encode(std::string_view word, std::vector<WordToken>& out,
              std::vector<WordStep>* steps) const override;

  // The bytes of a word that a piece covers: without its mark.
  std::string_view spelling(std::string_view piece) const;
  bool continues(std::string_view piece) const;  // is it one that continues a word?

 private:
  Options options_;
  ByteTrie begins_, continues_;
};

}  // namespace cutaway
