// Vocabularies whose folder has no tokenizer.json, written as the tokenizer.json that they would be.
#pragma once
#include <optional>
#include <string>

#include "tokenizer/hf/json_tokenizer.h"

namespace cutaway::hf {

bool there(const std::string& folder, const char* name);
Source read_json(const std::string& path);  // its form and the names in it are checked
Source read_json(const std::string& folder, const char* name);
std::string read_text(const std::string& folder, const char* name);

// Both add to the settings what the class of the tokenizer says where no file does.
// vocab.json and merges.txt, of the class that tokenizer_config.json names; GPT-2's without it.
Source compose_bpe(const std::string& folder, Settings& settings);
// vocab.txt with its tokenizer_config.json. lowercase: goes before what that says.
Source compose_wordpiece(const std::string& folder, Settings& settings, std::optional<bool> lowercase);

}  // namespace cutaway::hf
