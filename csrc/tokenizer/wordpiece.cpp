#include "tokenizer/wordpiece.h"

namespace cutaway {
namespace {

size_t characters(std::string_view word) {
  size_t n = 0;
  for (const char c : word) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

}  // namespace

bool WordPieceModel::continues(std::string_view piece) const {
  // Of two marks the longer decides: where one is empty, it is what is left when the other is not there.
  const bool begins = piece.starts_with(options_.begin_prefix),
             goes_on = piece.starts_with(options_.continue_prefix);
  return goes_on && (!begins || options_.continue_prefix.size() > options_.begin_prefix.size());
}

std::string_view WordPieceModel::spelling(std::string_view piece) const {
  if (continues(piece)) return piece.substr(options_.continue_prefix.size());
  return piece.starts_with(options_.begin_prefix) ? piece.substr(options_.begin_prefix.size()) : piece;
}

WordPieceModel::WordPieceModel(const std::vector<std::string>& pieces, const Options& options)
    : options_(options) {
  std::vector<std::pair<std::string_view, int32_t>> begin, go_on;
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].empty()) continue;
    // A piece such as "##" itself begins a word as it stands: in BERT the mark is looked up with the text.
    const bool continuing = continues(pieces[id]);
    (continuing ? go_on : begin).emplace_back(spelling(pieces[id]), static_cast<int32_t>(id));
    if (continuing && options_.begin_prefix.empty()) begin.emplace_back(pieces[id], static_cast<int32_t>(id));
  }
  begins_ = ByteTrie(std::move(begin));
  continues_ = ByteTrie(std::move(go_on));
}

void WordPieceModel::encode(std::string_view word, std::vector<WordToken>& out,
                            std::vector<WordStep>* steps) const {
  const size_t first = out.size(), first_step = steps ? steps->size() : 0;
  const uint32_t size = static_cast<uint32_t>(word.size());
  const auto unknown = [&] {
    out.resize(first);
    for (size_t i = first_step; steps && i < steps->size(); ++i) (*steps)[i].chosen = false;
    if (options_.unknown < 0) return;
    out.push_back({options_.unknown, 0, size});
    if (steps)
      steps->push_back({std::string(word), "", options_.unknown, static_cast<double>(size), 0, size});
  };
  if (size > options_.longest_word && characters(word) > options_.longest_word) return unknown();
  for (uint32_t at = 0; at < size;) {
    const ByteTrie::Match match = (at == 0 ? begins_ : continues_).longest(word, at);
    if (match.value < 0) return unknown();
    out.push_back({match.value, at, at + match.bytes});
    if (steps) {
      const uint32_t end = at + match.bytes;
      std::string spelled = at == 0 ? options_.begin_prefix : options_.continue_prefix;
      WordStep step{spelled.append(word, at, match.bytes), "", match.value,
                    static_cast<double>(match.bytes),      at, end};
      step.tried = static_cast<uint32_t>(characters(word.substr(end)));
      steps->push_back(std::move(step));
    }
    at += match.bytes;
  }
}

}  // namespace cutaway
