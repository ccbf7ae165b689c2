// What SentencePiece's "nmt" rules do before NFKC: some control characters out, others into spaces.
#include "tokenizer/hf/normalizer.h"
#include "tokenizer/hf/per_character.h"

namespace cutaway::hf {
namespace {

bool dropped(char32_t c) {
  return (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
}
bool spaced(char32_t c) {
  return c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
         c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
}

class Nmt final : public Normalizer {
 public:
  void apply(AlignedText& text) const override {
    each_character(text, [](char32_t cp, std::string& out) {
      if (!dropped(cp)) utf8_append(out, spaced(cp) ? U' ' : cp);
    });
  }
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer_nmt(const Part&) { return std::make_unique<Nmt>(); }

}  // namespace cutaway::hf
