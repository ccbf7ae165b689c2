// Tokens that match as they stand, before anything else looks at the text: the longest at the leftmost place,
// as SentencePiece's prefix matcher and Hugging Face's added tokens have it.
#pragma once
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace cutaway {

class AddedTokens {
 public:
  void add(std::string_view spelling, int32_t id);  // an empty spelling never matches
  struct Match {
    size_t begin, end;  // bytes; begin == npos: none
    int32_t id;
  };
  Match find(std::string_view text, size_t from) const;
  bool empty() const { return nodes_.size() == 1; }

 private:
  struct Node {
    std::vector<std::pair<unsigned char, int32_t>> next;  // sorted by byte
    int32_t id = -1;
  };
  int32_t child(int32_t node, unsigned char byte) const;  // -1 when absent
  std::vector<Node> nodes_{1};                            // nodes_[0] is the root of the trie
  bool starts_[256] = {};
};

}  // namespace cutaway
