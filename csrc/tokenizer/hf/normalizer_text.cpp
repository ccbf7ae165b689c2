// Strip, Prepend, Replace: what they do is in their names.
#include "tokenizer/hf/normalizer.h"
#include "tokenizer/hf/pattern.h"
#include "tokenizer/hf/per_character.h"

namespace cutaway::hf {
namespace {

class Strip final : public Normalizer {
 public:
  explicit Strip(const Part& part) : left_(part.boolean("strip_left")), right_(part.boolean("strip_right")) {}

  void apply(AlignedText& text) const override {
    const std::string_view from = text.view();
    size_t begin = 0, end = 0, at = 0;  // of what stays
    for (bool leading = left_; at < from.size();) {
      const Utf8Step step = utf8_step(from, at);
      const bool space = step.ok && white(step.cp);
      at += step.bytes;
      leading = leading && space;
      if (leading) begin = at;
      if (!space || !right_) end = at;
    }
    Rewriter rewriter(text);
    rewriter.replace(0, begin, "");
    rewriter.replace(std::max(begin, end), from.size(), "");
    rewriter.finish();
  }

 private:
  bool left_, right_;
};

class Prepend final : public Normalizer {
 public:
  explicit Prepend(const Part& part) : what_(part.string("prepend")) {}
  void apply(AlignedText& text) const override {
    if (text.view().empty()) return;
    Rewriter rewriter(text);
    rewriter.replace(0, 0, what_);
    rewriter.finish();
  }

 private:
  std::string what_;
};

class Replace final : public Normalizer {
 public:
  explicit Replace(const Part& part)
      : pattern_(read_pattern(part, "pattern")), content_(part.string("content")) {
    pattern_->prepare();
  }
  void apply(AlignedText& text) const override {
    std::vector<Pretoken> matches;
    if (!text.view().empty()) pattern_->find(text.view(), matches);
    Rewriter rewriter(text);
    for (const Pretoken& match : matches) rewriter.replace(match.begin, match.end, content_);
    rewriter.finish();
  }

 private:
  std::shared_ptr<Pattern> pattern_;
  std::string content_;
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer_strip(const Part& part) { return std::make_unique<Strip>(part); }
std::unique_ptr<Normalizer> make_normalizer_prepend(const Part& part) {
  return std::make_unique<Prepend>(part);
}
std::unique_ptr<Normalizer> make_normalizer_replace(const Part& part) {
  return std::make_unique<Replace>(part);
}

}  // namespace cutaway::hf
