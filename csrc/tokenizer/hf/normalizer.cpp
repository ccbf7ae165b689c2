#include "tokenizer/hf/normalizer.h"

#include <vector>

#include "tokenizer/hf/kinds.h"

namespace cutaway::hf {
namespace {

constexpr Kind<std::unique_ptr<Normalizer> (*)(const Part&)> kKinds[] = {
#define NORMALIZER(function, type) {type, &make_normalizer_##function},
#include "tokenizer/hf/normalizers.def"
#undef NORMALIZER
};

class Sequence final : public Normalizer {
 public:
  explicit Sequence(const Part& part) {
    for (const Part& one : part.parts("normalizers")) steps_.push_back(read_normalizer(one));
  }
  void apply(AlignedText& text) const override {
    for (const auto& step : steps_) step->apply(text);
  }
  bool makes_alphabet() const override {
    for (const auto& step : steps_) {
      if (step->makes_alphabet()) return true;
    }
    return false;
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

}  // namespace

std::unique_ptr<Normalizer> read_normalizer(const Part& part) {
  auto out = maker_of(part, part.type(), kKinds, "normalizer")(part);
  part.end();
  return out;
}

std::unique_ptr<Normalizer> make_normalizer_sequence(const Part& part) {
  return std::make_unique<Sequence>(part);
}

}  // namespace cutaway::hf
