// Look-up by name through a sorted list of positions: four bytes a name, no copy of the names, and the same
// time for every file (a hash could be attacked by one).
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

namespace cutaway::format {

// Positions 0..n-1 ordered by name_of(position); equal names keep their order.
template <class NameOf>
std::vector<uint32_t> sort_names(size_t n, NameOf name_of) {
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int c = std::string_view(name_of(a)).compare(name_of(b));
    return c != 0 ? c < 0 : a < b;
  });
  return order;
}

// The position of a name that another has, too.
template <class NameOf>
std::optional<uint32_t> find_duplicate(const std::vector<uint32_t>& order, NameOf name_of) {
  for (size_t i = 1; i < order.size(); ++i) {
    if (name_of(order[i]) == name_of(order[i - 1])) return order[i];
  }
  return std::nullopt;
}

// Where `name` is in `order`, or would be inserted.
template <class NameOf>
std::vector<uint32_t>::const_iterator name_position(const std::vector<uint32_t>& order, std::string_view name,
                                                    NameOf name_of) {
  return std::lower_bound(order.begin(), order.end(), name, [&](uint32_t i, std::string_view key) {
    return std::string_view(name_of(i)) < key;
  });
}

template <class NameOf>
std::optional<uint32_t> find_name(const std::vector<uint32_t>& order, std::string_view name, NameOf name_of) {
  const auto at = name_position(order, name, name_of);
  if (at == order.end() || name_of(*at) != name) return std::nullopt;
  return *at;
}

}  // namespace cutaway::format
