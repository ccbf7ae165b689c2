// WordLevel: a piece is a token, or the unknown one.
#include <unordered_map>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/hf/model.h"

namespace cutaway::hf {
namespace {

class Words final : public WordModel {
 public:
  Words(const std::vector<std::string>& pieces, int32_t unknown) : unknown_(unknown) {
    for (size_t id = 0; id < pieces.size(); ++id) {
      if (!pieces[id].empty()) index_.emplace(pieces[id], static_cast<int32_t>(id));
    }
  }
  void encode(std::string_view word, std::vector<WordToken>& out, std::vector<WordStep>*) const override {
    const auto it = index_.find(std::string(word));
    out.push_back({it == index_.end() ? unknown_ : it->second, 0, static_cast<uint32_t>(word.size())});
  }

 private:
  std::unordered_map<std::string, int32_t> index_;
  int32_t unknown_;
};

}  // namespace

Model make_model_wordlevel(const Part& part, bool) {
  Model model;
  read_vocabulary(part, model);
  read_unknown(part, model);
  model.words = std::make_shared<Words>(model.pieces, model.unknown);
  return model;
}

}  // namespace cutaway::hf
