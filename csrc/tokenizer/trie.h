// A trie over bytes as a double array (Aoe 1989): the child of node n by byte b is base[n] + b, if that place
// says that n is its parent. One step is one load.
#pragma once
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace cutaway {

class ByteTrie {
 public:
  static constexpr uint32_t kRoot = 0, kNone = 0xFFFFFFFF;

  ByteTrie() : nodes_(256) {}  // no keys
  // Keys may hold any bytes; of equal ones the first in `keys` stays. Values are >= 0. The keys need not
  // outlive this.
  explicit ByteTrie(std::vector<std::pair<std::string_view, int32_t>> keys);

  uint32_t step(uint32_t node, unsigned char byte) const {  // kNone: no key goes on like this
    const uint32_t child = nodes_[node].base + byte;
    return nodes_[child].parent == node ? child : kNone;
  }
  int32_t value(uint32_t node) const { return nodes_[node].value; }  // -1: no key ends here
  int32_t find(std::string_view key) const;                          // -1 when absent

  struct Match {
    int32_t value = -1;
    uint32_t bytes = 0;
  };
  Match longest(std::string_view text, size_t at) const;  // the longest key that text[at, ..) begins with

  // on_match(end, value) for every key that text[at, ..) begins with, the shortest first. An empty key never
  // matches.
  template <class OnMatch>
  void prefixes(std::string_view text, size_t at, const OnMatch& on_match) const {
    uint32_t node = kRoot;
    for (size_t i = at; i < text.size();) {
      node = step(node, static_cast<unsigned char>(text[i++]));
      if (node == kNone) return;
      if (nodes_[node].value >= 0) on_match(i, nodes_[node].value);
    }
  }
  size_t bytes() const { return nodes_.size() * sizeof(Node); }

 private:
  struct Node {
    uint32_t base = 0;
    uint32_t parent = kNone;
    int32_t value = -1;
  };
  std::vector<Node> nodes_;
};

}  // namespace cutaway
