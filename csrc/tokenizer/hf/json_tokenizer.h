// The tokenizer of a tokenizer.json, as the Hugging Face library `tokenizers` would have it.
#pragma once
#include <memory>
#include <optional>

#include "tokenizer/hf/added.h"
#include "tokenizer/hf/cutter.h"
#include "tokenizer/hf/decoder.h"
#include "tokenizer/hf/model.h"
#include "tokenizer/hf/normalizer.h"
#include "tokenizer/hf/processor.h"
#include "tokenizer/tokenizer.h"

namespace cutaway::hf {

// What stands beside a tokenizer.json in a folder.
struct Settings {
  std::vector<std::pair<std::string, std::string>> named;           // "bos" -> its piece
  std::vector<int32_t> stops;                                       // what ends a text, beside "eos"
  std::optional<bool> add_bos, add_eos;                             // nothing: as the post-processor has it
  std::vector<std::pair<std::string, std::string>> chat_templates;  // "default" first
  std::vector<AddedToken> added;                                    // after those of tokenizer.json
  std::vector<AddedToken>
      special;  // those that are named, and others called special; their ids are not known
};

// source: must hold the whole text of a tokenizer.json, its names checked.
std::shared_ptr<Tokenizer> read_tokenizer(const Source& source, const Settings& settings);
std::shared_ptr<Tokenizer> read_tokenizer_file(const std::string& path);
std::shared_ptr<Tokenizer> read_tokenizer_folder(const std::string& path, const OpenOptions& options);

}  // namespace cutaway::hf
