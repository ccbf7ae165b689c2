// Precompiled: SentencePiece's charsmap, the way the Hugging Face library applies it: to whole graphemes of
// fewer than six bytes, where a rule for their shortest beginning stands for all of them, else to each
// character.
#include "tokenizer/charsmap.h"
#include "tokenizer/graphemes.h"
#include "tokenizer/hf/normalizer.h"
#include "tokenizer/unicode.h"

namespace cutaway::hf {
namespace {

constexpr uint32_t kShortGrapheme = 6;

std::string from_base64(const Part& part, const std::string& text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0, count = 0;
  size_t end = text.size();
  for (int padding = 0; end > 0 && padding < 2 && text[end - 1] == '='; ++padding) --end;
  for (size_t i = 0; i < end; ++i) {
    const size_t digit = kDigits.find(text[i]);
    if (digit == kDigits.npos) part.fail("member 'precompiled_charsmap' is not Base64");
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count >= 8) out.push_back(static_cast<char>(bits >> (count -= 8) & 255));
  }
  return out;
}

class Precompiled final : public Normalizer {
 public:
  explicit Precompiled(const Part& part)
      : rules_(from_base64(part, part.string("precompiled_charsmap")), part.path() + ": " + part.place()) {}

  void apply(AlignedText& text) const override {
    const std::string_view from = text.view();
    Rewriter rewriter(text);
    for (size_t at = 0; at < from.size();) {
      const size_t end = grapheme_end(from, at);
      if (end - at < kShortGrapheme) {
        if (const Charsmap::Rule rule = rules_.shortest(from.substr(0, end), at); rule.bytes) {
          rewriter.replace(at, end, rule.to);
          at = end;
          continue;
        }
      }
      while (at < end) {
        const size_t next = at + utf8_step(from, at).bytes;
        if (const Charsmap::Rule rule = rules_.shortest(from.substr(0, next), at); rule.bytes) {
          rewriter.replace(at, next, rule.to);
        }
        at = next;
      }
    }
    rewriter.finish();
  }

 private:
  Charsmap rules_;
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer_precompiled(const Part& part) {
  return std::make_unique<Precompiled>(part);
}

}  // namespace cutaway::hf
