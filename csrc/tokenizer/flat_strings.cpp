#include "tokenizer/flat_strings.h"

#include <algorithm>

#include "core/error.h"

namespace cutaway {

template <class String>
void FlatStrings::fill(const std::vector<String>& all) {
  struct Arrays {
    std::vector<uint32_t> begin;
    std::vector<char> text;
  };
  size_t total = 0;
  for (const String& one : all) total += one.size();
  if (total > UINT32_MAX - kSpare)
    throw FormatError(cutaway::text("the vocabulary spells {} bytes, expected at most 4 GiB", total));
  const auto arrays = std::make_shared<Arrays>();
  arrays->begin.resize(all.size() + 1);
  arrays->text.resize(total + kSpare);
  char* to = arrays->text.data();
  for (size_t i = 0; i < all.size(); ++i) {
    to = std::copy(all[i].begin(), all[i].end(), to);
    arrays->begin[i + 1] = static_cast<uint32_t>(to - arrays->text.data());
  }
  text_ = arrays->text.data(), begin_ = arrays->begin.data(), n_ = all.size();
  owner_ = arrays;
}

FlatStrings::FlatStrings(const std::vector<std::string>& all) { fill(all); }
FlatStrings::FlatStrings(const std::vector<std::string_view>& all) { fill(all); }

}  // namespace cutaway
