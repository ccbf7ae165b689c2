#include "tokenizer/hf/cutter.h"

#include "tokenizer/hf/kinds.h"
#include "tokenizer/hf/pattern.h"

namespace cutaway::hf {
namespace {

constexpr Kind<std::unique_ptr<Cutter> (*)(const Part&)> kKinds[] = {
#define CUTTER(function, type) {type, &make_cutter_##function},
#include "tokenizer/hf/cutters.def"
#undef CUTTER
};

class Sequence final : public Cutter {
 public:
  explicit Sequence(const Part& part) {
    for (const Part& one : part.parts("pretokenizers")) steps_.push_back(read_cutter(one));
  }
  void prepare() override {
    for (const auto& step : steps_) step->prepare();
  }
  void apply(CutText& cut) const override {
    for (const auto& step : steps_) step->apply(cut);
  }
  bool makes_alphabet() const override {
    for (const auto& step : steps_) {
      if (step->makes_alphabet()) return true;
    }
    return false;
  }
  bool leave_bytes() override {
    for (size_t i = 0; i + 1 < steps_.size(); ++i) {
      if (steps_[i]->makes_alphabet()) return false;  // it is cut as letters, or written twice over
    }
    return !steps_.empty() && steps_.back()->leave_bytes();
  }

  Pretokenizer scanner() const override {
    std::vector<std::string_view> steps;
    Pretokenizer last;
    for (const auto& step : steps_) {
      if (step->idle()) continue;
      steps.push_back(step->step());
      last = step->scanner();
    }
    return steps.size() == 1 && last ? last : scanner_of(steps);
  }

 private:
  std::vector<std::unique_ptr<Cutter>> steps_;
};

class Scanning final : public Cutter {
 public:
  explicit Scanning(Pretokenizer scanner) : scanner_(scanner) {}
  void apply(CutText& cut) const override {
    const std::string_view text = cut.text.view();
    std::vector<Pretoken> pieces, found;
    for (const Pretoken& piece : cut.pieces) {
      found.clear();
      scanner_(text.substr(piece.begin, piece.end - piece.begin), found);
      for (const Pretoken& one : found) {
        pieces.push_back({piece.begin + one.begin, piece.begin + one.end, one.rule});
      }
    }
    cut.pieces = std::move(pieces);
  }
  Pretokenizer scanner() const override { return scanner_; }

 private:
  Pretokenizer scanner_;
};

}  // namespace

std::unique_ptr<Cutter> scanning_cutter(Pretokenizer scanner) { return std::make_unique<Scanning>(scanner); }

std::unique_ptr<Cutter> read_cutter(const Part& part) {
  auto out = maker_of(part, part.type(), kKinds, "pre-tokenizer")(part);
  part.end();
  return out;
}

std::unique_ptr<Cutter> make_cutter_sequence(const Part& part) { return std::make_unique<Sequence>(part); }

}  // namespace cutaway::hf
