// WordPiece, BPEDecoder, CTC: spaces put back between words.
#include <optional>

#include "tokenizer/hf/decoder.h"

namespace cutaway::hf {
namespace {

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string out;
  size_t at = 0;
  for (size_t found = text.find(what); !what.empty() && found != text.npos; found = text.find(what, at)) {
    out += text.substr(at, found - at);
    out += with;
    at = found + what.size();
  }
  return out += text.substr(at);
}

// The English clean-up of the library, one replacement after the other.
std::string cleaned(std::string text) {
  static constexpr std::pair<const char*, const char*> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
  };
  for (const auto& [what, with] : kRules) text = replaced(text, what, with);
  return text;
}

class Pieces final : public TokenStep {
 public:
  Pieces(const std::string& prefix, bool cleanup, bool first)
      : prefix_(prefix), cleanup_(cleanup), first_(first) {}

 protected:
  void token(std::string whole) override {
    if (!first_) whole = whole.rfind(prefix_, 0) == 0 ? whole.substr(prefix_.size()) : " " + whole;
    first_ = false;
    pass(cleanup_ ? cleaned(std::move(whole)) : whole);
  }

 private:
  const std::string& prefix_;
  bool cleanup_, first_;
};

class WordPiece final : public Decoder {
 public:
  explicit WordPiece(const Part& part) : prefix_(part.string("prefix")), cleanup_(part.boolean("cleanup")) {}
  void start(DecodeMode& mode, DecodeSteps& steps) const override {
    steps.push_back(std::make_unique<Pieces>(prefix_, cleanup_, !mode.continuation));
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

class Suffixes final : public TokenStep {  // a suffix is a space, but for the last token
 public:
  explicit Suffixes(const std::string& suffix) : suffix_(suffix) {}
  void finish() override {
    if (last_) pass(replaced(*last_, suffix_, ""));
    next->finish();
  }

 protected:
  void token(std::string whole) override {
    if (last_) pass(replaced(*last_, suffix_, " "));
    last_ = std::move(whole);
  }

 private:
  const std::string& suffix_;
  std::optional<std::string> last_;
};

class EndOfWord final : public Decoder {
 public:
  explicit EndOfWord(const Part& part) : suffix_(part.string("suffix")) {
    if (suffix_.empty()) part.unsupported("member 'suffix' is empty, which matches between all characters");
  }
  void start(DecodeMode&, DecodeSteps& steps) const override {
    steps.push_back(std::make_unique<Suffixes>(suffix_));
  }

 private:
  std::string suffix_;
};

struct CtcRule {
  std::string pad, delimiter;
  bool cleanup;
};

class CtcStep final : public TokenStep {
 public:
  explicit CtcStep(const CtcRule& rule) : rule_(rule) {}

 protected:
  void token(std::string whole) override {
    if (last_ == whole) return;
    last_ = whole;
    std::string out = replaced(whole, rule_.pad, "");
    if (rule_.cleanup) out = replaced(cleaned(std::move(out)), rule_.delimiter, " ");
    if (!out.empty()) pass(out);
  }

 private:
  const CtcRule& rule_;
  std::optional<std::string> last_;
};

class Ctc final : public Decoder {
 public:
  explicit Ctc(const Part& part)
      : rule_{part.string("pad_token"), part.string("word_delimiter_token"), part.boolean("cleanup")} {
    if (rule_.delimiter.empty()) {
      part.unsupported("member 'word_delimiter_token' is empty, which matches between all characters");
    }
  }
  void start(DecodeMode&, DecodeSteps& steps) const override {
    steps.push_back(std::make_unique<CtcStep>(rule_));
  }

 private:
  CtcRule rule_;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder_wordpiece(const Part& part) {
  return std::make_unique<WordPiece>(part);
}
std::unique_ptr<Decoder> make_decoder_bpe(const Part& part) { return std::make_unique<EndOfWord>(part); }
std::unique_ptr<Decoder> make_decoder_ctc(const Part& part) { return std::make_unique<Ctc>(part); }

}  // namespace cutaway::hf
