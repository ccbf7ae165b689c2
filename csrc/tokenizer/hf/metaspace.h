// What the pre-tokenizer Metaspace and the decoder of that name have in common.
#pragma once
#include "tokenizer/hf/part.h"

namespace cutaway::hf {

struct Metaspace {
  enum class Prepend { always, first, never };
  std::string mark;  // the character that stands for a space
  Prepend prepend;
  bool split;

  explicit Metaspace(const Part& part);
};

}  // namespace cutaway::hf
