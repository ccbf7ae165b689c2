// The unigram language model (Kudo 2018): every piece has a log probability, and a text becomes the row of
// pieces of highest sum, found by Viterbi over the lattice of all pieces in it.
#pragma once
#include <array>
#include <string>

#include "tokenizer/id_buffer.h"
#include "tokenizer/side_pairs.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocab.h"
#include "tokenizer/word_cache.h"
#include "tokenizer/word_model.h"

namespace cutaway {

class UnigramModel final : public WordModel {
 public:
  enum class Sums {
    float64,  // as Hugging Face's tokenizers: the sum of one word
    float32   // as SentencePiece: rounded at every piece, over the whole text
  };
  struct Options {
    int32_t unknown = -1;           // the token for what no piece covers, one for a run of them; -1: left out
    std::vector<int32_t> byte_ids;  // [256], or empty: bytes instead of the unknown token
    Sums sums = Sums::float64;
  };
  // pieces, scores, types: [n], by id. Normal and user-defined pieces make the lattice, those of every other
  // type do not; only normal ones count for the score of what is unknown. Of equal pieces the last one
  // counts.
  UnigramModel(const std::vector<std::string>& pieces, const std::vector<double>& scores,
               const std::vector<TokenType>& types, const Options& options);

  // steps: every edge of the lattice, by where it begins and then by length; those of the best path are
  // `chosen`.
  void encode(std::string_view word, std::vector<WordToken>& out,
              std::vector<WordStep>* steps) const override;

  // The ids alone, of SentencePiece's sums. 16 bytes behind the text may be read.
  void encode_ids(std::string_view text, WordCache& cache, IdBuffer& out) const;

  double unknown_score() const { return unknown_score_; }  // the lowest score less 10

 private:
  struct Node {  // the best path that ends at a byte
    double score = 0;
    int32_t id = -1;
    uint32_t begin = kNowhere;
  };
  static constexpr uint32_t kNowhere = 0xFFFFFFFF;
  template <class Float>
  void search(std::string_view word, Float before, std::vector<Node>& nodes,
              std::vector<WordStep>* steps) const;
  double lead(std::string_view word) const;
  double score_of(int32_t id) const { return id == options_.unknown ? unknown_score_ : scores_[id]; }

  Options options_;
  ByteTrie trie_;
  std::vector<double> scores_;  // [n]
  double unknown_score_ = 0;
  double largest_ = 0;  // the largest of the scores and of the unknown one, without their signs
  SidePairs sides_;
};

}  // namespace cutaway
