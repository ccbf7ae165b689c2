#include "tokenizer/trie.h"

#include <algorithm>

namespace cutaway {
namespace {

// Places that no node has taken, as a ring in ascending order with place 0 (the root) as its head.
class FreePlaces {
 public:
  FreePlaces() : next_{0}, previous_{0} {}
  uint32_t size() const { return static_cast<uint32_t>(next_.size()); }
  uint32_t first() const { return next_[0]; }  // 0: none
  uint32_t after(uint32_t place) const { return next_[place]; }
  bool is_free(uint32_t place) const { return place >= size() || next_[place] != kTaken; }
  void grow(uint32_t size) {
    while (next_.size() < size) {
      const uint32_t place = this->size(), last = previous_[0];
      next_.push_back(0), previous_.push_back(last);
      next_[last] = place, previous_[0] = place;
    }
  }
  void take(uint32_t place) {
    next_[previous_[place]] = next_[place];
    previous_[next_[place]] = previous_[place];
    next_[place] = kTaken;
  }

 private:
  static constexpr uint32_t kTaken = 0xFFFFFFFF;
  std::vector<uint32_t> next_, previous_;
};

constexpr int kTries = 48;  // places looked at for a node with several children, before the end is taken

// The smallest known base, such that base + byte is free for every byte of the children.
uint32_t find_base(const FreePlaces& places, const std::vector<unsigned char>& children) {
  uint32_t place = places.first();
  for (int tries = children.size() == 1 ? 1 << 20 : kTries; place != 0 && tries > 0;
       --tries, place = places.after(place)) {
    if (place <= children[0]) continue;  // base 0 stays for nodes without children
    const uint32_t base = place - children[0];
    if (std::all_of(children.begin(), children.end(),
                    [&](unsigned char b) { return places.is_free(base + b); }))
      return base;
  }
  return std::max<uint32_t>(places.size(), 1);
}

}  // namespace

ByteTrie::ByteTrie(std::vector<std::pair<std::string_view, int32_t>> keys) {
  std::stable_sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  struct Range {
    uint32_t node;
    size_t begin, end, depth;  // keys [begin, end) share `depth` bytes
  };
  std::vector<Range> ranges{{kRoot, 0, keys.size(), 0}};
  std::vector<unsigned char> children;
  std::vector<size_t> starts;
  FreePlaces places;
  nodes_.resize(1);
  uint32_t reach = 256;  // every base is below reach - 255, so that no step leaves the array
  for (size_t r = 0; r < ranges.size(); ++r) {
    const Range range = ranges[r];
    children.clear(), starts.clear();
    for (size_t k = range.begin; k < range.end; ++k) {
      const std::string_view key = keys[k].first;
      if (key.size() == range.depth) {
        if (nodes_[range.node].value < 0) nodes_[range.node].value = keys[k].second;
        continue;
      }
      const unsigned char byte = static_cast<unsigned char>(key[range.depth]);
      if (children.empty() || children.back() != byte) children.push_back(byte), starts.push_back(k);
    }
    if (children.empty()) continue;
    const uint32_t base = find_base(places, children);
    places.grow(base + children.back() + 1);
    if (nodes_.size() < places.size()) nodes_.resize(places.size());
    nodes_[range.node].base = base;
    reach = std::max(reach, base + 256);
    for (size_t c = 0; c < children.size(); ++c) {
      const uint32_t child = base + children[c];
      places.take(child);
      nodes_[child].parent = range.node;
      ranges.push_back(
          {child, starts[c], c + 1 < starts.size() ? starts[c + 1] : range.end, range.depth + 1});
    }
  }
  nodes_.resize(reach);
  nodes_.shrink_to_fit();
}

int32_t ByteTrie::find(std::string_view key) const {
  uint32_t node = kRoot;
  for (const char c : key) {
    node = step(node, static_cast<unsigned char>(c));
    if (node == kNone) return -1;
  }
  return nodes_[node].value;
}

ByteTrie::Match ByteTrie::longest(std::string_view text, size_t at) const {
  Match best;
  prefixes(text, at, [&](size_t end, int32_t value) { best = {value, static_cast<uint32_t>(end - at)}; });
  return best;
}

}  // namespace cutaway
