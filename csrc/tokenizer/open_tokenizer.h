// Tokenizers from files, one kind a line of tokenizer_files.def.
#pragma once
#include "tokenizer/tokenizer.h"

namespace cutaway {

// is_*: could this be it? head: the first bytes of the file, none of a folder.
#define TOKENIZER_FILE(function, what, takes)                         \
  bool is_##function(const std::string& path, std::string_view head); \
  std::shared_ptr<Tokenizer> open_##function(const std::string& path, const OpenOptions& options);
#include "tokenizer/tokenizer_files.def"
#undef TOKENIZER_FILE

std::string whole_tokenizer_file(const std::string& path);  // FormatError above 1 GiB

}  // namespace cutaway
