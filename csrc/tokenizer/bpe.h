// Byte-level BPE as a tokenizer, whatever file its parts came from.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/byte_level.h"
#include "tokenizer/tokenizer.h"

namespace cutaway {

// bytes[id]: what each id decodes to. model_name: as info() has it.
std::shared_ptr<Tokenizer> make_byte_level(Vocab vocab, FlatStrings bytes, Pretokenizer pretokenizer,
                                           std::shared_ptr<const BytePairModel> model,
                                           const char* model_name);

}  // namespace cutaway
