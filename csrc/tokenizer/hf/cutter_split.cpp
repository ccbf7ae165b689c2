// Split: cuts at what a pattern matches, or with `invert` at what it does not.
#include "tokenizer/hf/pattern.h"
#include "tokenizer/hf/splitting.h"

namespace cutaway::hf {
namespace {

class Split final : public Cutter {
 public:
  explicit Split(const Part& part)
      : pattern_(read_pattern(part, "pattern")),
        behavior_(read_behavior(part, "behavior")),
        invert_(part.boolean("invert")) {}

  void prepare() override { pattern_->prepare(); }
  void apply(CutText& cut) const override {
    const std::string_view text = cut.text.view();
    std::vector<Pretoken> matches;
    cut_each(cut, behavior_, [&](const Pretoken& piece, std::vector<Stretch>& out) {
      matches.clear();
      pattern_->find(text.substr(piece.begin, piece.end - piece.begin), matches);
      uint32_t at = piece.begin;
      for (const Pretoken& match : matches) {
        const uint32_t begin = piece.begin + match.begin, end = piece.begin + match.end;
        if (at != begin) out.push_back({at, begin, rest_of(piece), invert_});
        out.push_back({begin, end, match.rule, !invert_});
        at = end;
      }
      if (at != piece.end) out.push_back({at, piece.end, rest_of(piece), invert_});
    });
  }

  Pretokenizer scanner() const override {
    // A scanner matches everything, so what is taken out is all or nothing.
    const bool kept = behavior_ == Behavior::isolated || (behavior_ == Behavior::removed && invert_);
    return kept ? pattern_->scanner() : Pretokenizer{};
  }
  std::string_view step() const override {
    return behavior_ == Behavior::isolated ? pattern_->expression() : std::string_view();
  }

 private:
  std::shared_ptr<Pattern> pattern_;
  Behavior behavior_;
  bool invert_;
};

}  // namespace

std::unique_ptr<Cutter> make_cutter_split(const Part& part) { return std::make_unique<Split>(part); }

}  // namespace cutaway::hf
