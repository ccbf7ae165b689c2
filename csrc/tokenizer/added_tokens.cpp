#include "tokenizer/added_tokens.h"

#include <algorithm>

namespace cutaway {

AddedTokens::AddedTokens(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const Token& t) { return t.spelling.empty(); });
  std::stable_sort(tokens_.begin(), tokens_.end(),
                   [](const Token& a, const Token& b) { return a.spelling < b.spelling; });
  for (const Token& token : tokens_) starts_[static_cast<unsigned char>(token.spelling[0])] = true;
}

// The next byte that a token may begin with. Nearly all vocabularies have few of them, most have only '<'.
size_t AddedTokens::next_start(std::string_view text, size_t from) const {
  if (tokens_.empty()) return text.size();
  if (tokens_.front().spelling[0] == tokens_.back().spelling[0]) {  // sorted, so all begin alike
    return std::min(text.find(tokens_.front().spelling[0], from), text.size());
  }
  while (from < text.size() && !starts_[static_cast<unsigned char>(text[from])]) ++from;
  return from;
}

AddedTokens::Match AddedTokens::find(std::string_view text, size_t from) const {
  for (size_t at = next_start(text, from); at < text.size(); at = next_start(text, at + 1)) {
    Match best{at, at, -1};
    auto low = tokens_.begin(), high = tokens_.end();  // the tokens that begin with text[at, at + depth)
    for (size_t depth = 0; at + depth < text.size() && low != high; ++depth) {
      const auto byte = [depth](const Token& t) { return static_cast<unsigned char>(t.spelling[depth]); };
      const unsigned char next = static_cast<unsigned char>(text[at + depth]);
      low = std::partition_point(
          low, high, [&](const Token& t) { return t.spelling.size() <= depth || byte(t) < next; });
      high = std::partition_point(low, high, [&](const Token& t) { return byte(t) == next; });
      if (low != high && low->spelling.size() == depth + 1) best = {at, at + depth + 1, low->id};
    }
    if (best.id >= 0) return best;
  }
  return {std::string_view::npos, std::string_view::npos, -1};
}

}  // namespace cutaway
