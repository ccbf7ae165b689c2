// The tokens of one word, put into an Encoding.
#pragma once
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace cutaway {

// place(i): the byte of the given text that byte i of the word stands for, i from 0 to the word's length.
template <class Place>
void append_word(const WordModel& model, std::string_view word, Rule rule, bool trace, const Place& place,
                 Encoding& out) {
  thread_local std::vector<WordToken> tokens;
  std::vector<WordStep> steps;
  tokens.clear();
  model.encode(word, tokens, trace ? &steps : nullptr);
  const size_t first = out.ids.size();
  uint32_t covered = 0;
  for (const WordToken& token : tokens) {
    out.dropped.append(word.substr(covered, token.begin - covered));  // what lies between two tokens has none
    covered = token.end;
    out.ids.push_back(token.id);
    out.spans.push_back({place(token.begin), place(token.end)});
  }
  out.dropped.append(word.substr(covered));
  if (!trace) return;
  const Span span{place(0), place(static_cast<uint32_t>(word.size()))};
  out.pieces.push_back({span, rule, first, out.ids.size(), std::move(steps), std::string(word)});
}

}  // namespace cutaway
