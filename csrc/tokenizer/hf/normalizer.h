// Normalisers of a tokenizer.json: each rewrites the text before anything cuts it.
#pragma once
#include <memory>

#include "tokenizer/aligned_text.h"
#include "tokenizer/hf/part.h"

namespace cutaway::hf {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(AlignedText& text) const = 0;
  virtual bool makes_alphabet() const { return false; }  // does it write bytes as GPT-2's characters?
};

// Reads any kind by its "type". UnsupportedError lists the kinds where it is none of them.
std::unique_ptr<Normalizer> read_normalizer(const Part& part);

#define NORMALIZER(function, type) std::unique_ptr<Normalizer> make_normalizer_##function(const Part& part);
#include "tokenizer/hf/normalizers.def"
#undef NORMALIZER

}  // namespace cutaway::hf
