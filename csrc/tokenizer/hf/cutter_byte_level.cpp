// ByteLevel: GPT-2's pattern, and every byte as a letter of its alphabet.
#include "tokenizer/hf/alphabet.h"
#include "tokenizer/hf/cutter.h"

namespace cutaway::hf {
namespace {

class ByteLevel final : public Cutter {
 public:
  explicit ByteLevel(const Part& part)
      : prefix_(part.boolean("add_prefix_space")), cuts_(part.boolean("use_regex", true)) {
    part.boolean("trim_offsets");  // of offsets alone, which are those of the whole token here
  }

  void apply(CutText& cut) const override {
    if (prefix_) {
      rewrite_pieces(cut, [](std::string_view text, const Pretoken& piece, Rewriter& out) {
        if (text[piece.begin] != ' ') out.replace(piece.begin, piece.begin, " ");
      });
    }
    if (cuts_) { scanning_cutter(find_pretokenizer("gpt-2"))->apply(cut); }
    if (letters_) {
      rewrite_pieces(cut, [](std::string_view text, const Pretoken& piece, Rewriter& out) {
        for (uint32_t i = piece.begin; i < piece.end; ++i) {
          out.replace(i, i + 1, letter_of(static_cast<unsigned char>(text[i])));
        }
      });
    }
  }
  bool makes_alphabet() const override { return true; }
  bool leave_bytes() override {
    letters_ = false;
    return true;
  }
  Pretokenizer scanner() const override {
    return prefix_ || letters_ || !cuts_ ? Pretokenizer{} : find_pretokenizer("gpt-2");
  }
  std::string_view step() const override { return scanner() ? kByteLevel : std::string_view(); }
  bool idle() const override { return !prefix_ && !letters_ && !cuts_; }

 private:
  bool prefix_, cuts_, letters_ = true;
};

}  // namespace

std::unique_ptr<Cutter> make_cutter_byte_level(const Part& part) { return std::make_unique<ByteLevel>(part); }

}  // namespace cutaway::hf
