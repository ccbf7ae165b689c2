// A normaliser that looks at one character at a time.
#pragma once
#include <string>

#include "tokenizer/aligned_text.h"
#include "tokenizer/unicode.h"

namespace cutaway::hf {

// put(character, out) appends what the character becomes: itself, something else, or nothing. Bytes that are
// no character stay.
template <class Put>
void each_character(AlignedText& text, const Put& put) {
  const std::string_view from = text.view();
  Rewriter rewriter(text);
  std::string out;
  for (size_t at = 0; at < from.size();) {
    const Utf8Step step = utf8_step(from, at);
    if (step.ok) {
      out.clear();
      put(step.cp, out);
      rewriter.replace(at, at + step.bytes, out);
    }
    at += step.bytes;
  }
  rewriter.finish();
}

inline bool white(char32_t cp) { return is_space(cp, category(cp)); }  // White_Space

}  // namespace cutaway::hf
