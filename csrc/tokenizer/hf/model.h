// Models of a tokenizer.json: the vocabulary, and what cuts a piece into its tokens.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/byte_pairs.h"
#include "tokenizer/hf/part.h"
#include "tokenizer/word_model.h"

namespace cutaway::hf {

struct Model {
  std::string kind;                 // "BPE", ...
  std::vector<std::string> pieces;  // by id; "" for ids that the vocabulary leaves out
  size_t count = 0;                 // of ids that it does not
  std::shared_ptr<const WordModel> words;
  std::shared_ptr<const BytePairModel>
      over_bytes;  // the same, where its words are bytes and not GPT-2's letters
  int32_t unknown = -1;
};

// letters: the text reaches the model in GPT-2's letters.
Model read_model(const Part& part, bool letters);

#define MODEL(function, type) Model make_model_##function(const Part& part, bool letters);
#include "tokenizer/hf/models.def"
#undef MODEL

// {"piece": id, ...} into model.pieces and model.count. FormatError for an id that is there twice, or one
// that lies far beyond the number of pieces.
void read_vocabulary(const Part& part, Model& model);
void read_unknown(const Part& part, Model& model);  // unk_token, which must be in the vocabulary
int32_t find_piece(const Model& model, const std::string& piece);  // -1: none

}  // namespace cutaway::hf
