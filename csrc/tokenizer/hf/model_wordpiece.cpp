#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/hf/model.h"
#include "tokenizer/wordpiece.h"

namespace cutaway::hf {

Model make_model_wordpiece(const Part& part, bool) {
  Model model;
  read_vocabulary(part, model);
  read_unknown(part, model);
  WordPieceModel::Options options;
  options.unknown = model.unknown;
  options.continue_prefix = part.string("continuing_subword_prefix");
  options.longest_word =
      static_cast<uint32_t>(std::min<uint64_t>(part.integer("max_input_chars_per_word"), UINT32_MAX));
  model.words = std::make_shared<WordPieceModel>(model.pieces, options);
  return model;
}

}  // namespace cutaway::hf
