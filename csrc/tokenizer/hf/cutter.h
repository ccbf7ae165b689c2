// Pre-tokenizers of a tokenizer.json: each cuts the pieces of a text further; some rewrite the text too.
#pragma once
#include <memory>
#include <vector>

#include "tokenizer/aligned_text.h"
#include "tokenizer/hf/part.h"
#include "tokenizer/pretokenize.h"

namespace cutaway::hf {

struct CutText {
  AlignedText text;
  std::vector<Pretoken> pieces;  // bytes of text.view(), in order, none empty; between them may be gaps
};

// Steps that are no expression.
inline constexpr char kDigitsAlone[] = "Digits", kPunctuation[] = "Punctuation", kByteLevel[] = "ByteLevel";

class Cutter {
 public:
  virtual ~Cutter() = default;
  virtual void prepare() {
  }  // before the first apply(): what it needs for that, such as a compiled expression
  virtual void apply(CutText& cut) const = 0;
  // Does it write bytes as GPT-2's letters?
  virtual bool makes_alphabet() const { return false; }
  // The model reads bytes: letters need not be written where no later step looks at them. true: bytes it is.
  virtual bool leave_bytes() { return false; }
  // The scanner that it is, where it does nothing but cut a text as that does; or none.
  virtual Pretokenizer scanner() const { return {}; }
  virtual bool idle() const { return false; }  // does it do nothing at all?
  // What split_steps.def calls it, where it does nothing but cut; or nothing.
  virtual std::string_view step() const { return {}; }
};

// Rewrites a text piece by piece, and moves the pieces along. change(text, piece, rewriter)
template <class Change>
void rewrite_pieces(CutText& cut, const Change& change) {
  const std::string_view text = cut.text.view();
  Rewriter out(cut.text);
  for (Pretoken& piece : cut.pieces) {
    out.keep(piece.begin);
    const uint32_t begin = static_cast<uint32_t>(out.size());
    change(text, piece, out);
    out.keep(piece.end);
    piece = {begin, static_cast<uint32_t>(out.size()), piece.rule};
  }
  out.finish();
}

std::unique_ptr<Cutter> read_cutter(const Part& part);
std::unique_ptr<Cutter> scanning_cutter(Pretokenizer scanner);  // what cutters with this scanner() do, in one

#define CUTTER(function, type) std::unique_ptr<Cutter> make_cutter_##function(const Part& part);
#include "tokenizer/hf/cutters.def"
#undef CUTTER

}  // namespace cutaway::hf
