#include "tokenizer/pretokenize.h"

namespace cutaway {
namespace {

struct Entry {
  const char* name;
  Pretokenizer scan;
};
constexpr Entry kPretokenizers[] = {
#define PRETOKENIZER(function, name) {name, &pretokenize_##function},
#include "tokenizer/pretokenizers.def"
#undef PRETOKENIZER
};

}  // namespace

const char* rule_name(Rule rule) {
  switch (rule) {
    case Rule::added_token:
      return "added token";
    case Rule::contraction:
      return "contraction";
    case Rule::letters:
      return "letters";
    case Rule::numbers:
      return "numbers";
    case Rule::symbols:
      return "symbols";
    case Rule::spaces:
      return "spaces";
    case Rule::pattern:
      return "pattern";
    case Rule::text:
      break;
  }
  return "text";
}

Pretokenizer find_pretokenizer(std::string_view name) {
  for (const Entry& entry : kPretokenizers) {
    if (name == entry.name) return entry.scan;
  }
  return nullptr;
}

std::string pretokenizer_names() {
  std::string names;
  for (const Entry& entry : kPretokenizers) names += (names.empty() ? "" : ", ") + std::string(entry.name);
  return names;
}

}  // namespace cutaway
