// NFC, NFD, NFKC, NFKD, Lowercase, StripAccents.
#include "tokenizer/hf/normalizer.h"
#include "tokenizer/hf/per_character.h"
#include "tokenizer/normalize.h"

namespace cutaway::hf {
namespace {

template <Form form>
class UnicodeForm final : public Normalizer {
 public:
  void apply(AlignedText& text) const override { normalize(text, form); }
};

class Lowercase final : public Normalizer {
 public:
  void apply(AlignedText& text) const override {
    each_character(text, [](char32_t cp, std::string& out) { append_lower(out, cp); });
  }
};

class StripAccents final : public Normalizer {
 public:
  void apply(AlignedText& text) const override {
    each_character(text, [](char32_t cp, std::string& out) {
      if (!is_mark(cp)) utf8_append(out, cp);
    });
  }
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer_nfc(const Part&) {
  return std::make_unique<UnicodeForm<Form::nfc>>();
}
std::unique_ptr<Normalizer> make_normalizer_nfd(const Part&) {
  return std::make_unique<UnicodeForm<Form::nfd>>();
}
std::unique_ptr<Normalizer> make_normalizer_nfkc(const Part&) {
  return std::make_unique<UnicodeForm<Form::nfkc>>();
}
std::unique_ptr<Normalizer> make_normalizer_nfkd(const Part&) {
  return std::make_unique<UnicodeForm<Form::nfkd>>();
}
std::unique_ptr<Normalizer> make_normalizer_lowercase(const Part&) { return std::make_unique<Lowercase>(); }
std::unique_ptr<Normalizer> make_normalizer_strip_accents(const Part&) {
  return std::make_unique<StripAccents>();
}

}  // namespace cutaway::hf
