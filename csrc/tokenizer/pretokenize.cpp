#include "tokenizer/pretokenize.h"

#include "tokenizer/characters.h"

namespace cutaway {
namespace {

constexpr Pretokenizer kPretokenizers[] = {
#define PRETOKENIZER(function, name) {name, &cut_##function},
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
    case Rule::white_space:
      return "white space";
    case Rule::punctuation:
      return "punctuation";
    case Rule::chinese_character:
      return "Chinese character";
    case Rule::metaspace:
      return "Metaspace";
    case Rule::delimiter:
      return "delimiter";
    case Rule::script:
      return "script";
    case Rule::fixed_length:
      return "fixed length";
    case Rule::pattern:
      return "pattern";
    case Rule::between_matches:
      return "between matches";
    case Rule::text:
      break;
  }
  return "not cut";
}

Rule rule_of(std::string_view piece) {
  const Reader r(piece);
  Rule rule = Rule::spaces;
  for (size_t at = 0; at < piece.size();) {
    const Char c = r.at(at);
    // A word may begin with one symbol, as in "(word".
    if (c.in(kLetters))
      return piece[0] == '\'' && at == 1 && piece.size() <= 3 ? Rule::contraction : Rule::letters;
    if (c.in(kNumbers)) return Rule::numbers;
    if (rule == Rule::symbols) break;
    if (!c.in(kSpaces)) rule = Rule::symbols;
    at += c.bytes;
  }
  return rule;
}

void Pretokenizer::operator()(std::string_view text, std::vector<Pretoken>& out) const {
  uint32_t ends[kFewestEnds];
  uint32_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t n = cut(text, at, ends, kFewestEnds);
    for (size_t i = 0; i < n; begin = ends[i++]) {
      out.push_back({begin, ends[i], rule_of(text.substr(begin, ends[i] - begin))});
    }
  }
}

Pretokenizer find_pretokenizer(std::string_view name) {
  for (const Pretokenizer& entry : kPretokenizers) {
    if (name == entry.name) return entry;
  }
  return {};
}

std::string pretokenizer_names() {
  std::string names;
  for (const Pretokenizer& entry : kPretokenizers) {
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  return names;
}

}  // namespace cutaway
