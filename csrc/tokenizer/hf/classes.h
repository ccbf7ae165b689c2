// Tokenizer classes of transformers whose files are vocab.json and merges.txt: what they do to a text stands
// in no file, so it stands here (classes.def).
#pragma once
#include <string>
#include <string_view>

namespace cutaway::hf {

struct TokenizerClass {
  std::string_view name;
  std::string_view specials;       // "bos=<s> eos=</s>": the special tokens, where no file names others
  std::string_view before, after;  // what add_special_tokens puts around a text: "cls", or tokens themselves
  std::string_view model;          // members of "model", each with a comma after it
  std::string_view rest;  // the other members of a tokenizer.json; $PREFIX stands for add_prefix_space
};

// With or without "Fast" at the end of the name. UnsupportedError, beginning with `where` and naming the
// classes that are known, for any other.
TokenizerClass find_class(const std::string& name, const std::string& where);

}  // namespace cutaway::hf
