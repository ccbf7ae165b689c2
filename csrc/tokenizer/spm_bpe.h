// SentencePiece's BPE (Kudo and Richardson 2018): a text starts as its characters, and the adjacent pair
// whose joined piece has the highest score is merged, the leftmost of equals, until no pair is a piece.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/byte_index.h"
#include "tokenizer/id_buffer.h"
#include "tokenizer/side_pairs.h"
#include "tokenizer/vocab.h"
#include "tokenizer/word_cache.h"
#include "tokenizer/word_model.h"

namespace cutaway {

class SpmBpeModel final : public WordModel {
 public:
  struct Options {
    int32_t unknown = -1;           // the token for what no piece covers, one for a run of them; -1: left out
    std::vector<int32_t> byte_ids;  // [256], or empty: bytes instead of the unknown token
  };
  // pieces, scores, types: [n], by id; pieces spelled as the text will be. Normal, user-defined and unused
  // pieces arise by merging; unused ones are taken apart again at the end. Of equal pieces the first one
  // counts.
  SpmBpeModel(const FlatStrings& pieces, const std::vector<double>& scores,
              const std::vector<TokenType>& types, const Options& options);

  void encode(std::string_view word, std::vector<WordToken>& out,
              std::vector<WordStep>* steps) const override;

  // The ids alone. 16 bytes behind the text may be read.
  void encode_ids(std::string_view text, WordCache& cache, IdBuffer& out) const;
  // Has every text an encoding that leaves nothing out?
  bool covers_all() const { return options_.unknown >= 0 || !options_.byte_ids.empty(); }

  bool has_piece(std::string_view text) const {
    const int32_t symbol = symbol_of(text);
    return symbol >= 0 && symbol < pieces_;
  }

 private:
  struct Pair {  // of symbols; those >= pieces_ are characters that are no piece but a part of one
    int32_t left = -1, right = -1, id = -1;
    uint32_t rank = 0;
  };
  void read_pairs(const FlatStrings& pieces, const std::vector<double>& scores);
  int32_t symbol_of(std::string_view text) const { return symbols_->find(text); }  // -1: none
  const Pair* find(int32_t left, int32_t right) const;
  // Vocabularies whose unused pieces can arise are never cut: how those come apart depends on the whole text.
  uint32_t part_end(std::string_view text, uint32_t begin) const {
    return takes_apart_ ? static_cast<uint32_t>(text.size()) : sides_.part_end(text, begin);
  }
  void encode_part(std::string_view word, uint32_t begin, uint32_t end, size_t first,
                   std::vector<WordToken>& out, std::vector<WordStep>* steps) const;
  void emit(std::string_view word, int32_t symbol, uint32_t begin, uint32_t end, size_t first,
            std::vector<WordToken>& out) const;

  Options options_;
  std::optional<TokenIndex> symbols_;  // pieces, and characters of pieces
  int32_t pieces_ = 0;                 // symbols below this are pieces
  std::vector<float> scores_;          // [pieces]
  std::vector<bool> unused_;           // [pieces]
  bool takes_apart_ = false;           // an unused piece can arise
  uint32_t ranks_ = 0;                 // distinct scores
  std::vector<Pair> pairs_;            // open addressing, a power of two
  uint64_t pair_mask_ = 0;
  SidePairs sides_;
};

}  // namespace cutaway
