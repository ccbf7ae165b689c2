// BERT's: control characters out, white space as plain spaces, Chinese characters apart, accents off, lower
// case (Devlin et al. 2018, tokenization.py).
#include "tokenizer/hf/normalizer.h"
#include "tokenizer/hf/per_character.h"
#include "tokenizer/normalize.h"

namespace cutaway::hf {
namespace {

bool chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

class Bert final : public Normalizer {
 public:
  explicit Bert(const Part& part)
      : clean_(part.boolean("clean_text")),
        chinese_(part.boolean("handle_chinese_chars")),
        lowercase_(part.boolean("lowercase")),
        strip_(part.boolean("strip_accents", lowercase_)) {}

  void apply(AlignedText& text) const override {
    if (clean_) {
      each_character(text, [](char32_t cp, std::string& out) {
        if (cp == 0 || is_control(cp)) return;
        utf8_append(out, white(cp) ? U' ' : cp);
      });
    }
    if (chinese_) {
      each_character(text, [](char32_t cp, std::string& out) {
        if (chinese(cp)) out += ' ';
        utf8_append(out, cp);
        if (chinese(cp)) out += ' ';
      });
    }
    if (strip_) {
      normalize(text, Form::nfd);
      each_character(text, [](char32_t cp, std::string& out) {
        if (!is_nonspacing(cp)) utf8_append(out, cp);
      });
    }
    if (lowercase_) {
      each_character(text, [](char32_t cp, std::string& out) { append_lower(out, cp); });
    }
  }

 private:
  bool clean_, chinese_, lowercase_, strip_;
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer_bert(const Part& part) { return std::make_unique<Bert>(part); }

}  // namespace cutaway::hf
