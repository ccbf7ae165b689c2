#include "tokenizer/unigram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "tokenizer/cached_words.h"
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
  std::vector<std::string_view> in_lattice;
  for (const auto& key : keys) in_lattice.push_back(key.first);
  sides_ = SidePairs(in_lattice);
  trie_ = ByteTrie(std::move(keys));
  if (options_.sums == Sums::float32) {
    const float least = lowest < std::numeric_limits<float>::max() ? static_cast<float>(lowest)
                                                                   : std::numeric_limits<float>::max();
    unknown_score_ = least - kUnknownPenalty;
  } else {
    unknown_score_ = lowest - kUnknownPenalty;
  }
  largest_ = std::abs(unknown_score_);
  for (const double score : scores_) largest_ = std::max(largest_, std::abs(score));
}

// The best path to every byte of the word, which `before` was the sum up to. Where two are equal, the one
// found first stays: its last piece is the longer.
template <class Float>
void UnigramModel::search(std::string_view word, Float before, std::vector<Node>& nodes,
                          std::vector<WordStep>* steps) const {
  const uint32_t size = static_cast<uint32_t>(word.size());
  nodes.assign(size + 1, {});
  nodes[0].score = before;
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
  options_.sums == Sums::float32 ? search<float>(word, 0, nodes, steps)
                                 : search<double>(word, 0, nodes, steps);

  const size_t first = out.size();
  uint32_t end = static_cast<uint32_t>(word.size());
  while (end > 0) {  // from the end of the best path to its beginning
    const Node& node = nodes[end];
    if (steps) {
      auto step =
          std::lower_bound(steps->begin() + static_cast<ptrdiff_t>(first_step), steps->end(), node.begin,
                           [](const WordStep& at, uint32_t begin) { return at.begin < begin; });
      while (step->end != end) ++step;  // an edge of its own for every end
      step->chosen = true;
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

// By how much the best path beats all others, each sum free of rounding.
double UnigramModel::lead(std::string_view word) const {
  struct Two {
    double best = -std::numeric_limits<double>::infinity(), second = best;
    void meet(double score) {
      second = std::max(second, std::min(best, score));
      best = std::max(best, score);
    }
  };
  thread_local std::vector<Two> ends;
  ends.assign(word.size() + 1, {});
  ends[0].best = 0;
  for (size_t at = 0; at < word.size();) {
    const uint32_t character = utf8_step(word, at).bytes;
    bool single = false;
    const Two here = ends[at];
    const auto reach = [&](size_t end, double score) {
      ends[end].meet(here.best + score);
      ends[end].meet(here.second + score);
    };
    trie_.prefixes(word, at, [&](size_t end, int32_t id) {
      reach(end, scores_[id]);
      single |= end - at == character;
    });
    if (!single) reach(at + character, unknown_score_);
    at += character;
  }
  return ends[word.size()].best - ends[word.size()].second;
}

// Part by part, as no piece crosses from one to the next. SentencePiece rounds its sums over the whole text,
// so the same word may come apart differently at another place; but only if two ways to cut it are nearly
// equal. The cache keeps words whose best path leads by more than all rounding there can be; others are
// searched with the very sum.
void UnigramModel::encode_ids(std::string_view text, WordCache& cache, IdBuffer& out) const {
  constexpr int32_t kClose = -2;           // in the cache: not such a word
  constexpr double kRounding = 1.0 / 128;  // of a sum below 2^17, per piece on both paths
  thread_local std::vector<Node> nodes;
  thread_local std::vector<int32_t> found;
  float sum = 0;
  int32_t last = -1;
  const auto put = [&](int32_t id) {
    if (id != options_.unknown || last != id) out.push(id);
    last = id;
  };
  const auto search_part = [&](std::string_view part) {
    search<float>(part, sum, nodes, nullptr);
    found.clear();
    for (uint32_t end = static_cast<uint32_t>(part.size()); end > 0; end = nodes[end].begin)
      found.push_back(static_cast<int32_t>(end));
    std::reverse(found.begin(), found.end());
    sum = static_cast<float>(nodes[part.size()].score);
    for (const int32_t end : found) {
      const Node& node = nodes[static_cast<size_t>(end)];
      if (node.id >= 0) {
        put(node.id);
      } else if (options_.byte_ids.empty()) {
        put(options_.unknown);
      } else {
        for (uint32_t at = node.begin; at < static_cast<uint32_t>(end); ++at)
          put(options_.byte_ids[static_cast<unsigned char>(part[at])]);
      }
    }
  };
  for (uint32_t at = 0; at < text.size();) {
    const uint32_t end = sides_.part_end(text, at);
    const std::string_view part = text.substr(at, end - at);
    at = end;
    const double size = static_cast<double>(part.size());
    if (part.size() > kLongCached || std::abs(sum) + size * largest_ > kLargest) {
      search_part(part);  // long, or sums start again at 0 in it
      continue;
    }
    const std::span<const int32_t> ids = cached_ids(cache, part, [&](std::vector<WordToken>& tokens) {
      search<float>(part, 0, nodes, nullptr);
      bool keeps = lead(part) > (size + 1) * kRounding;
      for (uint32_t stop = static_cast<uint32_t>(part.size()); stop > 0; stop = nodes[stop].begin) {
        keeps &= nodes[stop].id >= 0 || options_.byte_ids.empty();
        tokens.push_back({nodes[stop].id >= 0 ? nodes[stop].id : options_.unknown, 0, 0});
      }
      std::reverse(tokens.begin(), tokens.end());
      if (!keeps) tokens.assign(1, {kClose, 0, 0});
    });
    if (ids[0] == kClose) {
      search_part(part);
      continue;
    }
    for (const int32_t id : ids) {
      sum += static_cast<float>(score_of(id));
      put(id);
    }
  }
}

}  // namespace cutaway
