// Unigram: [["piece", log probability], ...] by id.
#include <cmath>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/hf/model.h"
#include "tokenizer/unigram.h"

namespace cutaway::hf {

Model make_model_unigram(const Part& part, bool) {
  Model model;
  std::vector<double> scores;
  format::JsonReader vocab = part.reader("vocab");
  vocab.array([&] {
    int n = 0;
    vocab.array([&] {
      if (n == 0) model.pieces.push_back(vocab.string());
      if (n == 1) scores.push_back(std::visit([](auto v) { return static_cast<double>(v); }, vocab.number()));
      if (++n > 2) vocab.fail("more than a piece and its score");
    });
    if (n != 2) vocab.fail("expected a piece and its score");
  });
  model.count = model.pieces.size();
  if (model.pieces.empty()) part.fail("member 'vocab' is empty");
  std::vector<TokenType> types(model.pieces.size(), TokenType::normal);
  UnigramModel::Options options;
  if (part.has("unk_id")) {
    const uint64_t id = part.integer("unk_id");
    if (id >= model.pieces.size()) {
      part.fail(text("member 'unk_id' is {}, expected less than {}, the number of pieces", id,
                     model.pieces.size()));
    }
    options.unknown = model.unknown = static_cast<int32_t>(id);
  }
  if (part.boolean("byte_fallback", false)) {
    for (int b = 0; b < 256; ++b) {
      static const char* const kDigits = "0123456789ABCDEF";
      const int32_t id = find_piece(model, std::string("<0x") + kDigits[b >> 4] + kDigits[b & 15] + ">");
      if (id < 0)
        part.unsupported(text("member 'byte_fallback' is true, but there is no piece for byte {}", b));
      options.byte_ids.push_back(id);
    }
  }
  model.words = std::make_shared<UnigramModel>(model.pieces, scores, types, options);
  return model;
}

}  // namespace cutaway::hf
