// Pre-tokenizers that look at one character at a time: WhitespaceSplit, Whitespace, Digits, Punctuation,
// CharDelimiterSplit, BertPreTokenizer, UnicodeScripts, FixedLength.
#include "core/error.h"
#include "tokenizer/hf/per_character.h"
#include "tokenizer/hf/splitting.h"
#include "tokenizer/normalize.h"

namespace cutaway::hf {
namespace {

class WhitespaceSplit final : public Cutter {
 public:
  void apply(CutText& cut) const override {
    cut_at_characters(cut, Behavior::removed, Rule::spaces, Rule::white_space, &white);
  }
};

class Bert final : public Cutter {
 public:
  void apply(CutText& cut) const override {
    cut_at_characters(cut, Behavior::removed, Rule::spaces, Rule::white_space, &white);
    cut_at_characters(cut, Behavior::isolated, Rule::punctuation, Rule::between_matches, &is_punctuation);
  }
};

class Digits final : public Cutter {
 public:
  explicit Digits(const Part& part)
      : behavior_(part.boolean("individual_digits") ? Behavior::isolated : Behavior::contiguous) {}
  void apply(CutText& cut) const override {
    cut_at_characters(cut, behavior_, Rule::numbers, Rule::between_matches, &is_numeric);
  }
  std::string_view step() const override {
    return behavior_ == Behavior::isolated ? kDigitsAlone : std::string_view();
  }

 private:
  Behavior behavior_;
};

class Punctuation final : public Cutter {
 public:
  explicit Punctuation(const Part& part)
      : behavior_(part.has("behavior") ? read_behavior(part, "behavior") : Behavior::isolated) {}
  void apply(CutText& cut) const override {
    cut_at_characters(cut, behavior_, Rule::punctuation, Rule::between_matches, &is_punctuation);
  }
  std::string_view step() const override {
    return behavior_ == Behavior::contiguous ? kPunctuation : std::string_view();
  }

 private:
  Behavior behavior_;
};

class Delimiter final : public Cutter {
 public:
  explicit Delimiter(const Part& part) : delimiter_(part.character("delimiter")) {}
  void apply(CutText& cut) const override {
    cut_at_characters(cut, Behavior::removed, Rule::delimiter, Rule::delimiter,
                      [this](char32_t cp) { return cp == delimiter_; });
  }

 private:
  char32_t delimiter_;
};

// \w+|[^\w\s]+
class Whitespace final : public Cutter {
 public:
  void apply(CutText& cut) const override {
    const std::string_view text = cut.text.view();
    const auto kind = [&](const Utf8Step& step) {
      if (!step.ok) return Rule::symbols;
      return is_word(step.cp) ? Rule::letters : white(step.cp) ? Rule::spaces : Rule::symbols;
    };
    cut_each(cut, Behavior::removed, [&](const Pretoken& piece, std::vector<Stretch>& out) {
      for (uint32_t at = piece.begin; at < piece.end;) {
        const uint32_t begin = at;
        const Rule rule = kind(utf8_step(text, at));
        for (Utf8Step step; at < piece.end && kind(step = utf8_step(text, at)) == rule;) at += step.bytes;
        out.push_back({begin, at, rule, rule == Rule::spaces});
      }
    });
  }
};

// A piece begins where the script changes. Hiragana and Katakana count as Han; spaces, and characters of no
// script, go with what is before them; those before the first script are lost, as in the library.
class Scripts final : public Cutter {
 public:
  void apply(CutText& cut) const override {
    const std::string_view text = cut.text.view();
    cut_each(cut, Behavior::removed, [&](const Pretoken& piece, std::vector<Stretch>& out) {
      uint32_t script = 0, begin = piece.begin;
      for (uint32_t at = piece.begin; at < piece.end;) {
        const Utf8Step step = utf8_step(text, at);
        const uint32_t here = step.ok ? script_number(step.cp) : 0;
        if (here && here != script) {
          if (begin < at) out.push_back({begin, at, Rule::script, script == 0});
          begin = at;
          script = here;
        }
        at += step.bytes;
      }
      out.push_back({begin, piece.end, Rule::script, script == 0});
    });
  }
};

class FixedLength final : public Cutter {
 public:
  explicit FixedLength(const Part& part) : length_(part.has("length") ? part.integer("length") : 5) {
    if (length_ == 0) part.fail("member 'length' is 0, expected at least 1");
  }
  void apply(CutText& cut) const override {
    const std::string_view text = cut.text.view();
    cut_each(cut, Behavior::isolated, [&](const Pretoken& piece, std::vector<Stretch>& out) {
      for (uint32_t at = piece.begin; at < piece.end;) {
        const uint32_t begin = at;
        for (uint64_t n = 0; n < length_ && at < piece.end; ++n) at += utf8_step(text, at).bytes;
        out.push_back({begin, at, Rule::fixed_length, true});
      }
    });
  }

 private:
  uint64_t length_;
};

}  // namespace

std::unique_ptr<Cutter> make_cutter_whitespace_split(const Part&) {
  return std::make_unique<WhitespaceSplit>();
}
std::unique_ptr<Cutter> make_cutter_whitespace(const Part&) { return std::make_unique<Whitespace>(); }
std::unique_ptr<Cutter> make_cutter_bert(const Part&) { return std::make_unique<Bert>(); }
std::unique_ptr<Cutter> make_cutter_digits(const Part& part) { return std::make_unique<Digits>(part); }
std::unique_ptr<Cutter> make_cutter_punctuation(const Part& part) {
  return std::make_unique<Punctuation>(part);
}
std::unique_ptr<Cutter> make_cutter_delimiter(const Part& part) { return std::make_unique<Delimiter>(part); }
std::unique_ptr<Cutter> make_cutter_scripts(const Part&) { return std::make_unique<Scripts>(); }
std::unique_ptr<Cutter> make_cutter_fixed_length(const Part& part) {
  return std::make_unique<FixedLength>(part);
}

}  // namespace cutaway::hf
