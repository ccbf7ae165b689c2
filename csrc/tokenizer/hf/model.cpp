#include "tokenizer/hf/model.h"

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/hf/kinds.h"

namespace cutaway::hf {
namespace {

constexpr Kind<Model (*)(const Part&, bool)> kKinds[] = {
#define MODEL(function, type) {type, &make_model_##function},
#include "tokenizer/hf/models.def"
#undef MODEL
};

// Files of before the library wrote "type" are told by what they have.
std::string type_of(const Part& part) {
  if (part.has("type")) return part.type();
  if (part.has("merges")) return "BPE";
  if (part.has("max_input_chars_per_word")) return "WordPiece";
  if (part.has("unk_id")) return "Unigram";
  if (part.has("unk_token")) return "WordLevel";
  part.fail("member 'type' is missing, and the other members do not tell which kind of model it is");
}

}  // namespace

Model read_model(const Part& part, bool letters) {
  const std::string type = type_of(part);
  Model model = maker_of(part, type, kKinds, "model")(part, letters);
  model.kind = type;
  part.end();
  return model;
}

void read_vocabulary(const Part& part, Model& model) {
  format::JsonReader vocab = part.reader("vocab");
  std::vector<std::pair<std::string, uint64_t>> read;
  vocab.object(
      [&](const std::string& piece) { read.emplace_back(piece, vocab.unsigned_integer("a token id")); });
  const uint64_t most = 4 * uint64_t{read.size()} + 65536;
  for (const auto& [piece, id] : read) {
    if (id >= most) {
      part.fail(text("member 'vocab': token '{}' has the id {}, expected less than {} for {} tokens",
                     format::shown(piece), id, most, read.size()));
    }
    if (id >= model.pieces.size()) model.pieces.resize(id + 1);
  }
  std::vector<bool> taken(model.pieces.size());
  for (auto& [piece, id] : read) {
    if (taken[id]) {
      part.fail(text("member 'vocab': tokens '{}' and '{}' both have the id {}",
                     format::shown(model.pieces[id]), format::shown(piece), id));
    }
    taken[id] = true;
    model.pieces[id] = std::move(piece);
  }
  model.count = read.size();
}

int32_t find_piece(const Model& model, const std::string& piece) {
  for (size_t id = 0; id < model.pieces.size() && !piece.empty(); ++id) {
    if (model.pieces[id] == piece) return static_cast<int32_t>(id);
  }
  return -1;
}

void read_unknown(const Part& part, Model& model) {
  const std::string unknown = part.string("unk_token");
  model.unknown = find_piece(model, unknown);
  if (model.unknown < 0) {
    part.fail(text("member 'unk_token' is '{}', which is not in the vocabulary", format::shown(unknown)));
  }
}

}  // namespace cutaway::hf
