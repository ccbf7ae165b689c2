#include "tokenizer/hf/classes.h"

#include "core/error.h"
#include "format/utf8.h"

namespace cutaway::hf {
namespace {

constexpr TokenizerClass kClasses[] = {
#define TOKENIZER_CLASS(...) {__VA_ARGS__},
#include "tokenizer/hf/classes.def"
#undef TOKENIZER_CLASS
};

}  // namespace

TokenizerClass find_class(const std::string& name, const std::string& where) {
  std::string_view plain = name;
  if (plain.ends_with("Fast")) plain.remove_suffix(4);
  std::string names;
  for (const TokenizerClass& known : kClasses) {
    if (known.name == plain) return known;
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  throw UnsupportedError(
      text("{}: vocab.json and merges.txt of the class '{}', which is not known; there are: {}. "
           "A tokenizer.json says by itself what to do",
           where, format::shown(name), names));
}

}  // namespace cutaway::hf
