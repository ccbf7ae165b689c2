#include "tokenizer/hf/added.h"

#include <algorithm>

#include "tokenizer/hf/per_character.h"
#include "tokenizer/normalize.h"

namespace cutaway::hf {
namespace {

// The character that ends at byte `end`, and where it begins.
std::pair<char32_t, size_t> before(std::string_view text, size_t end) {
  for (size_t n = 1; n <= 4 && n <= end; ++n) {
    const Utf8Step step = utf8_step(text.substr(0, end), end - n);
    if (step.ok && step.bytes == n) return {step.cp, end - n};
  }
  return {0xFFFD, end - 1};
}

}  // namespace

AddedToken plain_special(int32_t id, std::string content) {
  return {id, content, content, false, false, false, false, true};
}

AddedToken read_added(const Part& part, int32_t id) {
  AddedToken token{id, part.string("content"), "", false, false, false, false, false};
  token.single_word = part.boolean("single_word", false);
  token.lstrip = part.boolean("lstrip", false);
  token.rstrip = part.boolean("rstrip", false);
  token.special = part.boolean("special", false);
  token.normalized = part.boolean("normalized", !token.special);
  token.seen = token.content;
  return token;
}

AddedSet::AddedSet(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::vector<AddedTokens::Token> spelled;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    by_id_[tokens_[i].id] = i;
    spelled.push_back({tokens_[i].seen, tokens_[i].id});
  }
  matcher_ = AddedTokens(std::move(spelled));
}

void AddedSet::find(std::string_view text, bool special, std::vector<Found>& out) const {
  size_t done = 0;
  for (size_t at = 0; !tokens_.empty() && at < text.size();) {
    const AddedTokens::Match match = matcher_.find(text, at);
    if (match.id < 0) break;
    at = match.end;
    const AddedToken& token = tokens_[by_id_.at(match.id)];
    if (token.special && !special) continue;
    size_t begin = match.begin, end = match.end;
    if (token.single_word) {
      if (begin > 0 && is_word(before(text, begin).first)) continue;
      if (end < text.size() && is_word(utf8_step(text, end).cp)) continue;
    }
    while (token.lstrip && begin > done) {
      const auto [cp, from] = before(text, begin);
      if (!white(cp)) break;
      begin = from;
    }
    while (token.rstrip && end < text.size()) {
      const Utf8Step step = utf8_step(text, end);
      if (!step.ok || !white(step.cp)) break;
      end += step.bytes;
    }
    begin = std::max(begin, done);  // the token before may have taken these spaces
    if (done < begin) out.push_back({done, begin, -1});
    out.push_back({begin, std::max(begin, end), token.id});
    done = std::max(begin, end);
  }
  if (done < text.size()) out.push_back({done, text.size(), -1});
}

}  // namespace cutaway::hf
