// GPT-2 (Radford et al. 2019, encoder.py):
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
#include "tokenizer/pretokenize.h"
#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

struct Step {
  Rule rule;  // letters, numbers, symbols or spaces
  uint32_t bytes;
};

Step classify(std::string_view text, size_t at) {
  const Utf8Step step = utf8_step(text, at);
  if (!step.ok) return {Rule::symbols, 1};
  const Category c = category(step.cp);
  const Rule rule = is_letter(c)           ? Rule::letters
                    : is_number(c)         ? Rule::numbers
                    : is_space(step.cp, c) ? Rule::spaces
                                           : Rule::symbols;
  return {rule, step.bytes};
}

size_t contraction(std::string_view text) {  // bytes of 's 't 're 've 'm 'll 'd at the start, else 0
  for (const std::string_view word : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (text.substr(0, word.size()) == word) return word.size();
  }
  return 0;
}

}  // namespace

void scan_gpt2(std::string_view whole, size_t begin, size_t end, std::vector<Pretoken>& out) {
  const std::string_view text = whole.substr(0, end);  // the look-ahead of \s+(?!\S) ends here too
  for (size_t at = begin; at < end;) {
    const size_t start = at;
    const auto emit = [&](size_t stop, Rule rule) {
      out.push_back({static_cast<uint32_t>(start), static_cast<uint32_t>(stop), rule});
      at = stop;
    };
    if (text[at] == '\'') {
      if (const size_t n = contraction(text.substr(at))) {
        emit(at + n, Rule::contraction);
        continue;
      }
    }
    const size_t word = at + (text[at] == ' ' && at + 1 < end);  // the optional space before a word
    const Rule rule = classify(text, word).rule;
    if (rule != Rule::spaces) {
      size_t stop = word;
      for (Step s; stop < end && (s = classify(text, stop)).rule == rule;) stop += s.bytes;
      emit(stop, rule);
      continue;
    }
    // A run of white space gives its last character to what follows, unless it is the whole run or ends the
    // text.
    size_t stop = at, last = at;
    for (Step s; stop < end && (s = classify(text, stop)).rule == Rule::spaces;) {
      last = stop;
      stop += s.bytes;
    }
    emit(stop == end || last == at ? stop : last, Rule::spaces);
  }
}

void pretokenize_gpt2(std::string_view text, std::vector<Pretoken>& out) {
  scan_gpt2(text, 0, text.size(), out);
}

}  // namespace cutaway
