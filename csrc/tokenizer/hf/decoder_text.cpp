// Strip, Replace, Metaspace: characters out of pieces, or others in their place.
#include "tokenizer/hf/decoder.h"
#include "tokenizer/hf/metaspace.h"
#include "tokenizer/hf/pattern.h"
#include "tokenizer/unicode.h"

namespace cutaway::hf {
namespace {

// Up to `start` of a character from the beginning of each token, and up to `stop` from its end.
class Stripped final : public DecodeStep {
 public:
  Stripped(const std::string& what, uint64_t start, uint64_t stop)
      : what_(what), start_(start), stop_(stop), left_(start) {}

  void take(std::string_view part, bool ends) override {
    held_ += part;
    size_t at = 0;
    const std::string_view held = held_;
    while (left_ > 0 && held.substr(at, what_.size()) == what_) at += what_.size(), --left_;
    const std::string_view rest = held.substr(at);
    const bool waits = left_ > 0 && what_.compare(0, rest.size(), rest) == 0;  // more of it may come
    if (!ends && (waits || stop_ > 0)) {
      held_.erase(0, at);
      return;
    }
    size_t end = held_.size();
    for (uint64_t n = 0; n < stop_ && end - at >= what_.size(); ++n) {
      if (held.substr(end - what_.size(), what_.size()) != what_) break;
      end -= what_.size();
    }
    left_ = ends ? start_ : 0;
    std::string out = held_.substr(at, end - at);
    held_.clear();
    next->take(out, ends);
  }

 private:
  std::string what_;
  uint64_t start_, stop_, left_;  // left_: of start_, in this token
  std::string held_;
};

class Strip final : public Decoder {
 public:
  explicit Strip(const Part& part) : start_(part.integer("start")), stop_(part.integer("stop")) {
    utf8_append(what_, part.character("content"));
  }
  void start(DecodeMode& mode, DecodeSteps& steps) const override {
    const bool goes_on = mode.fused && mode.continuation;
    steps.push_back(std::make_unique<Stripped>(what_, goes_on ? 0 : start_, stop_));
  }

 private:
  uint64_t start_, stop_;
  std::string what_;
};

class Replaced final : public TokenStep {
 public:
  Replaced(const Pattern& pattern, const std::string& content) : pattern_(pattern), content_(content) {}

 protected:
  void token(std::string whole) override {
    std::vector<Pretoken> matches;
    if (!whole.empty()) pattern_.find(whole, matches);
    std::string out;
    size_t at = 0;
    for (const Pretoken& match : matches) {
      out.append(whole, at, match.begin - at);
      out += content_;
      at = match.end;
    }
    pass(out.append(whole, at));
  }

 private:
  const Pattern& pattern_;
  const std::string& content_;
};

class Replace final : public Decoder {
 public:
  explicit Replace(const Part& part)
      : pattern_(read_pattern(part, "pattern")), content_(part.string("content")) {
    pattern_->prepare();
    const Part pattern = part.part("pattern");
    const size_t least = pattern.has("String") ? pattern.string("String").size() : 1;
    growth_ = 1 + static_cast<double>(content_.size()) / static_cast<double>(least);
    if (pattern.has("String") && content_.size() <= least) growth_ = 1;
  }
  double growth() const override { return growth_; }
  void start(DecodeMode&, DecodeSteps& steps) const override {
    steps.push_back(std::make_unique<Replaced>(*pattern_, content_));
  }

 private:
  std::shared_ptr<Pattern> pattern_;
  std::string content_;
  double growth_;
};

class Spaced final : public TokenStep {
 public:
  Spaced(const std::string& mark, bool first) : mark_(mark), first_(first) {}

 protected:
  void token(std::string whole) override {
    std::string out;
    for (size_t at = 0; at < whole.size();) {
      if (whole.compare(at, mark_.size(), mark_) != 0) {
        out.push_back(whole[at++]);
        continue;
      }
      at += mark_.size();
      if (!first_) out.push_back(' ');  // in the first token the library leaves out every mark
    }
    first_ = false;
    pass(out);
  }

 private:
  const std::string& mark_;
  bool first_;
};

class Marks final : public Decoder {
 public:
  explicit Marks(const Part& part) : rule_(part) {}
  void start(DecodeMode& mode, DecodeSteps& steps) const override {
    const bool first = !mode.continuation && rule_.prepend != Metaspace::Prepend::never;
    steps.push_back(std::make_unique<Spaced>(rule_.mark, first));
  }

 private:
  Metaspace rule_;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder_strip(const Part& part) { return std::make_unique<Strip>(part); }
std::unique_ptr<Decoder> make_decoder_replace(const Part& part) { return std::make_unique<Replace>(part); }
std::unique_ptr<Decoder> make_decoder_metaspace(const Part& part) { return std::make_unique<Marks>(part); }

}  // namespace cutaway::hf
