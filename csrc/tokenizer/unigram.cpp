#include "tokenizer/unigram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

constexpr float kUnknownPenalty = 10.0F;  // sentencepiece: kUnkPenalty
// From here on SentencePiece starts its sums at 0 again, so that a long text does not round them away.
constexpr double kLargest = 100000;

}  // namespace

UnigramModel::UnigramModel(const std::vector<std::string>& pieces, const std::vector<double>& scores,
                           const std::vector<TokenType>& types, const Options& options)
    : options_(options), scores_(scores) {
  std::vector<std::pair<std::string_view, int32_t>> keys;
  double lowest = std::numeric_limits<double>::infinity();
  for (size_t i = pieces.size(); i-- > 0;) {
    if (types[i] == TokenType::normal) lowest = std::min(lowest, scores[i]);
    if (types[i] == TokenType::normal || types[i] == TokenType::user_defined)
      keys.emplace_back(pieces[i], static_cast<int32_t>(i));
  }
  trie_ = ByteTrie(std::move(keys));
  if (options_.sums == Sums::float32) {
    const float least = lowest < std::numeric_limits<float>::max() ? static_cast<float>(lowest)
                                                                   : std::numeric_limits<float>::max();
    unknown_score_ = least - kUnknownPenalty;
  } else {
    unknown_score_ = lowest - kUnknownPenalty;
  }
}

// The best path to every byte of the word. Where two are equal, the one found first stays: its last piece is
// the longer.
template <class Float>
void UnigramModel::search(std::string_view word, std::vector<Node>& nodes,
                          std::vector<WordStep>* steps) const {
  const uint32_t size = static_cast<uint32_t>(word.size());
  nodes.assign(size + 1, {});
  uint32_t reached = 0;  // the furthest byte that a path ends at
  const auto reach = [&](uint32_t begin, uint32_t end, int32_t id, Float score) {
    Node& node = nodes[end];
    const Float sum = score + static_cast<Float>(nodes[begin].score);
    if (node.begin == kNowhere || sum > node.score) node = {sum, id, begin};
    reached = std::max(reached, end);
    if (steps)
      steps->push_back({std::string(word.substr(begin, end - begin)), "", id, score, begin, end, false});
  };
  for (uint32_t at = 0; at < size;) {
    if (std::is_same_v<Float, float> && std::abs(nodes[at].score) > kLargest) {
      const Float offset = static_cast<Float>(nodes[at].score);
      for (uint32_t i = at; i <= reached; ++i) {
        if (i == at || nodes[i].begin != kNowhere)
          nodes[i].score = static_cast<Float>(nodes[i].score) - offset;
      }
    }
    const uint32_t character = utf8_step(word, at).bytes;
    bool single = false;
    trie_.prefixes(word, at, [&](size_t end, int32_t id) {
      reach(at, static_cast<uint32_t>(end), id, static_cast<Float>(scores_[id]));
      single |= end - at == character;
    });
    if (!single) reach(at, at + character, -1, static_cast<Float>(unknown_score_));
    at += character;
  }
}

void UnigramModel::encode(std::string_view word, std::vector<WordToken>& out,
                          std::vector<WordStep>* steps) const {
  thread_local std::vector<Node> nodes;
  const size_t first_step = steps ? steps->size() : 0;
  options_.sums == Sums::float32 ? search<float>(word, nodes, steps) : search<double>(word, nodes, steps);

  const size_t first = out.size();
  uint32_t end = static_cast<uint32_t>(word.size());
  while (end > 0) {  // from the end of the best path to its beginning
    const Node& node = nodes[end];
    if (steps) {
      for (size_t s = first_step; s < steps->size(); ++s) {
        WordStep& step = (*steps)[s];
        if (step.begin == node.begin && step.end == end && step.id == node.id) step.chosen = true;
      }
    }
    const bool known = node.id >= 0 && node.id != options_.unknown;
    if (!known && !options_.byte_ids.empty()) {
      for (uint32_t at = end; at-- > node.begin;)
        out.push_back({options_.byte_ids[static_cast<unsigned char>(word[at])], at, at + 1});
    } else if (!known && out.size() > first && out.back().id == options_.unknown && out.back().begin == end) {
      out.back().begin = node.begin;
    } else if (known || options_.unknown >= 0) {
      out.push_back({known ? node.id : options_.unknown, node.begin, end});
    }
    end = node.begin;
  }
  std::reverse(out.begin() + static_cast<ptrdiff_t>(first), out.end());
  if (!steps) return;
  for (size_t s = first_step; s < steps->size(); ++s) {
    WordStep& step = (*steps)[s];
    if (step.id < 0) step.id = options_.unknown;
  }
}

}  // namespace cutaway
