#include "tokenizer/hf/alphabet.h"

#include "tokenizer/hf/normalizer.h"
#include "tokenizer/unicode.h"

namespace cutaway::hf {
namespace {

class Letters final : public Normalizer {
 public:
  void apply(AlignedText& text) const override { into_letters(text); }
  bool makes_alphabet() const override { return true; }
};

}  // namespace

void append_letters(std::string& out, std::string_view bytes) {
  for (const char byte : bytes) out += letter_of(static_cast<unsigned char>(byte));
}

bool append_bytes_of(std::string& out, std::string_view piece) {
  const size_t before = out.size();
  for (size_t i = 0; i < piece.size();) {
    const Utf8Step step = utf8_step(piece, i);
    const int byte = step.ok ? byte_of_letter(step.cp) : -1;
    if (byte < 0) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(byte));
    i += step.bytes;
  }
  return true;
}

void into_letters(AlignedText& text) {
  const std::string_view from = text.view();
  Rewriter rewriter(text);
  for (size_t i = 0; i < from.size(); ++i) {
    rewriter.replace(i, i + 1, letter_of(static_cast<unsigned char>(from[i])));
  }
  rewriter.finish();
}

void out_of_letters(CutText& cut) {
  rewrite_pieces(cut, [](std::string_view text, const Pretoken& piece, Rewriter& out) {
    for (uint32_t i = piece.begin; i < piece.end;) {
      const Utf8Step step = utf8_step(text, i);
      const int byte = step.ok ? byte_of_letter(step.cp) : -1;
      const char spelled = static_cast<char>(byte);
      out.replace(i, i + step.bytes, std::string_view(&spelled, byte >= 0));
      i += step.bytes;
    }
  });
}

std::unique_ptr<Normalizer> make_normalizer_bytes(const Part&) { return std::make_unique<Letters>(); }

}  // namespace cutaway::hf
