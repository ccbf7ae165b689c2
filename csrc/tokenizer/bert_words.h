// How BERT cuts a text into words (Devlin et al. 2018, tokenization.py; as the Hugging Face library
// `tokenizers` has it): control characters out, Chinese characters apart, accents off, lower case, then words
// at white space and every punctuation character by itself. One pass, by a table of what each character
// becomes.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/unicode.h"

namespace cutaway {

class BertWords {
 public:
  explicit BertWords(bool lowercase);  // and with it, accents off

  struct Word {
    std::string bytes;               // normalised: what the vocabulary sees
    std::vector<uint32_t> from, to;  // of each byte of it: the bytes [from, to) of the text that it came from
    bool is_alone = false;           // punctuation, or a Chinese character
  };

  // on_word(const Word&) for every word of text, in order.
  template <class OnWord>
  void cut(std::string_view text, const OnWord& on_word) const {
    thread_local Word word;
    const auto flush = [&](bool alone) {
      word.is_alone = alone;
      if (!word.bytes.empty()) on_word(word);
      word.bytes.clear(), word.from.clear(), word.to.clear();
    };
    flush(false);
    word.bytes.clear();
    for (size_t at = 0; at < text.size();) {
      const auto byte = static_cast<unsigned char>(text[at]);
      const Utf8Step step = byte < 128 ? Utf8Step{byte, 1, true, false} : utf8_step(text, at);
      const Becomes becomes = step.cp < kTable ? table_[step.cp] : compute(step.cp);
      for (int i = 0; i < becomes.count; ++i) {
        const Character& c = becomes.characters[i];
        if (c.kind != kept) flush(false);
        if (c.kind == space) continue;
        const size_t before = word.bytes.size();
        c.cp < 128 ? word.bytes.push_back(static_cast<char>(c.cp)) : utf8_append(word.bytes, c.cp);
        word.from.insert(word.from.end(), word.bytes.size() - before, static_cast<uint32_t>(at));
        word.to.insert(word.to.end(), word.bytes.size() - before, static_cast<uint32_t>(at + step.bytes));
        if (c.kind == alone) flush(true);
      }
      at += step.bytes;
    }
    flush(false);
  }

 private:
  enum Kind : uint8_t { kept, space, alone };
  struct Character {
    char32_t cp : 24;
    Kind kind : 8;
  };
  struct Becomes {  // nothing: the character is left out
    std::array<Character, 4> characters;
    int count = 0;
  };
  static constexpr char32_t kTable = 0x10000;
  Becomes compute(char32_t cp) const;

  bool lowercase_;
  std::vector<Becomes> table_;  // [kTable]
};

}  // namespace cutaway
