// Byte-pair encoding of one word: it starts as its bytes, and the adjacent pair of lowest rank is merged, the
// leftmost of equals, until no pair can be (Sennrich et al. 2016; Radford et al. 2019).
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/byte_index.h"
#include "tokenizer/flat_strings.h"
#include "tokenizer/merge.h"
#include "tokenizer/neighbours.h"
#include "tokenizer/word_model.h"

namespace cutaway {

class BytePairModel final : public WordModel {
 public:
  struct Rule {
    int32_t left, right, id;  // `left` and `right` become `id`
  };
  // tokens[id]: its bytes; "" for ids that no text becomes (added tokens). Of two ids with the same bytes the
  // lower one is found. rules: best first; of two for one pair the later one counts, as in Hugging Face's
  // reader. ignore_merges: a word that is a token is that token, whether or not merges lead to it.
  static std::shared_ptr<const BytePairModel> from_merges(FlatStrings tokens, const std::vector<Rule>& rules,
                                                          bool ignore_merges = false);
  // tiktoken: two neighbours merge if a token is spelled as the two together, the lowest such id first; a
  // word that is a token is that token. The 256 single bytes must be there, else FormatError. hidden: ids
  // that no text becomes, ascending. neighbours: those of these tokens, where they are known already.
  static std::shared_ptr<const BytePairModel> from_ranks(FlatStrings tokens,
                                                         std::span<const int32_t> hidden = {},
                                                         std::optional<Neighbours> neighbours = {});

  // A byte without a token is left out, and its neighbours stand side by side.
  void encode(std::string_view word, std::vector<WordToken>& out,
              std::vector<WordStep>* steps) const override;
  // The ids alone, faster. whole: the word is no part of a longer one, so it may be taken as a token.
  void ids(std::string_view word, bool whole, std::vector<int32_t>& out) const;

  int32_t find(std::string_view bytes) const { return index_.find(bytes); }  // -1: no such token
  bool finds(int32_t id) const {  // do the bytes of this id lead to it?
    return id < index_.all_found_below() || find(bytes(id)) == id;
  }
  int32_t size() const { return index_.size(); }
  std::string_view bytes(int32_t id) const { return index_.bytes(id); }
  int32_t byte_id(unsigned char byte) const { return byte_ids_[byte]; }  // -1: none
  int32_t rank(int32_t left, int32_t right) const;                       // -1: the two never merge
  size_t longest() const { return index_.longest(); }                    // bytes of the longest token
  bool takes_whole_words() const { return whole_words_; }
  bool has_every_byte() const { return every_byte_; }
  // May a merge reach over the border before byte `at` of text? (Neighbours::may_cross)
  bool may_cross(std::string_view text, size_t at) const { return neighbours_.may_cross(text, at); }
  const Neighbours& neighbours() const { return neighbours_; }
  std::pair<int32_t, int32_t> same() const { return index_.same(); }  // two ids with the same bytes, or -1

 private:
  BytePairModel(FlatStrings tokens, bool ranks, bool whole_words, std::span<const int32_t> hidden,
                std::optional<Neighbours> neighbours);
  struct Ranked {
    uint32_t rank;
    int32_t id;
  };
  static constexpr uint32_t kNever = UINT32_MAX;
  Ranked lookup(int32_t left, int32_t right, std::string_view both) const;
  std::vector<Symbol> merged(std::string_view word, std::vector<WordStep>* steps) const;
  void merge_short(std::string_view word, std::vector<int32_t>& out) const;
  bool merge_chunks(std::string_view word, std::vector<int32_t>& out) const;
  bool merge_repeated(std::string_view word, std::vector<int32_t>& out) const;

  TokenIndex index_;  // bytes -> id
  PairIndex pairs_;   // (left, right) -> rank and id; empty where ranks are the ids
  std::array<int32_t, 256> byte_ids_;
  std::vector<Ranked> of_bytes_;  // [256 * 256] the first merges, by two bytes
  bool by_rank_, whole_words_, every_byte_ = true;
  Neighbours neighbours_;
};

}  // namespace cutaway
