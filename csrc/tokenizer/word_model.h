// What turns one piece of text into tokens, once normaliser and pre-tokenizer are through with it: BPE,
// unigram, WordPiece. A model knows nothing of files, added tokens or the text around the piece.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cutaway {

// A token of a piece: bytes [begin, end) of it. Tokens cover the piece in order; one that stands for nothing
// in it (a byte that the vocabulary cannot spell) is left out.
struct WordToken {
  int32_t id;
  uint32_t begin, end;
};

// One step on the way, for explain(): a merge, an edge of the best path, a greedy match.
struct WordStep {
  std::string left, right;  // what was joined, as the vocabulary marks it; right is empty where nothing was
  int32_t id;               // what it became
  double key;               // rank, score or length
  uint32_t begin = 0, end = 0;  // bytes of the word: of an edge of the lattice
  bool chosen = true;    // false: the tokens do not hold it: off the best path, or of a word that is unknown
  std::string joined{};  // what became of the two, where that is not left + right
  uint32_t tried = 0;    // longer beginnings of the rest, looked up first and in vain
};

class WordModel {
 public:
  virtual ~WordModel() = default;
  // Appends the tokens of `word`, which is not empty. steps: null, or where to write how it went.
  virtual void encode(std::string_view word, std::vector<WordToken>& out,
                      std::vector<WordStep>* steps) const = 0;
};

}  // namespace cutaway
