// Post-processors of a tokenizer.json: the tokens that add_special_tokens puts around a text. What they do to
// offsets is left out: offsets are those of the whole token.
#pragma once
#include <cstdint>
#include <vector>

#include "tokenizer/hf/part.h"

namespace cutaway::hf {

struct Around {
  std::vector<int32_t> before, after;
};

void read_processor(const Part& part, Around& around);

#define PROCESSOR(function, type) void read_processor_##function(const Part& part, Around& around);
#include "tokenizer/hf/processors.def"
#undef PROCESSOR

}  // namespace cutaway::hf
