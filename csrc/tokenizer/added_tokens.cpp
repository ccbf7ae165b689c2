#include "tokenizer/added_tokens.h"

#include <algorithm>

namespace cutaway {

int32_t AddedTokens::child(int32_t node, unsigned char byte) const {
  const auto& next = nodes_[node].next;
  const auto it = std::lower_bound(next.begin(), next.end(), std::pair<unsigned char, int32_t>(byte, -1));
  return it != next.end() && it->first == byte ? it->second : -1;
}

void AddedTokens::add(std::string_view spelling, int32_t id) {
  if (spelling.empty()) return;
  starts_[static_cast<unsigned char>(spelling[0])] = true;
  int32_t node = 0;
  for (const unsigned char byte : spelling) {
    int32_t below = child(node, byte);
    if (below < 0) {
      below = static_cast<int32_t>(nodes_.size());
      nodes_.emplace_back();
      auto& next = nodes_[node].next;
      const std::pair<unsigned char, int32_t> edge(byte, below);
      next.insert(std::lower_bound(next.begin(), next.end(), edge), edge);
    }
    node = below;
  }
  nodes_[node].id = id;
}

AddedTokens::Match AddedTokens::find(std::string_view text, size_t from) const {
  for (size_t at = from; at < text.size(); ++at) {
    if (!starts_[static_cast<unsigned char>(text[at])]) continue;
    Match best{at, at, -1};
    int32_t node = 0;
    for (size_t i = at; i < text.size() && (node = child(node, static_cast<unsigned char>(text[i]))) >= 0;
         ++i) {
      if (nodes_[node].id >= 0) best = {at, i + 1, nodes_[node].id};
    }
    if (best.id >= 0) return best;
  }
  return {std::string_view::npos, std::string_view::npos, -1};
}

}  // namespace cutaway
