#include "tokenizer/bert_words.h"

#include "tokenizer/normalize.h"

namespace cutaway {
namespace {

// tokenization.py calls these the CJK Unified Ideographs. (`tokenizers` begins the fourth extension at
// U+2B920.)
bool is_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

template <class OnCharacter>
void each(std::string_view text, const OnCharacter& on_character) {
  for (size_t i = 0; i < text.size(); i += utf8_step(text, i).bytes) on_character(utf8_step(text, i).cp);
}

}  // namespace

BertWords::BertWords(bool lowercase) : lowercase_(lowercase), table_(kTable) {
  for (char32_t cp = 0; cp < kTable; ++cp) table_[cp] = compute(cp);
}

BertWords::Becomes BertWords::compute(char32_t cp) const {
  Becomes out;
  const auto add = [&](char32_t c, Kind kind) {
    out.characters[static_cast<size_t>(out.count++)] = {c, kind};
  };
  const bool plain = (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF);
  if (plain) {  // most of the table: letters without case or accents
    add(cp, alone);
    return out;
  }
  if (cp == 0 || is_control(cp)) return out;
  if (is_space(cp, category(cp))) {
    add(' ', space);
    return out;
  }
  std::string bytes, lowered;
  utf8_append(bytes, cp);
  const bool apart = is_chinese(cp);
  if (!lowercase_) {
    add(cp, apart || is_punctuation(cp) ? alone : kept);
    return out;
  }
  AlignedText taken_apart(bytes, 0);
  normalize(taken_apart, Form::nfd);
  each(taken_apart.view(), [&](char32_t c) {
    if (!is_nonspacing(c)) append_lower(lowered, c);
  });
  each(lowered, [&](char32_t c) {
    if (out.count == static_cast<int>(out.characters.size())) return;  // no character becomes more than four
    add(c, is_space(c, category(c)) ? space : apart || is_punctuation(c) ? alone : kept);
  });
  return out;
}

}  // namespace cutaway
