#include "tokenizer/side_pairs.h"

#include <algorithm>
#include <bit>

namespace cutaway {

SidePairs::SidePairs(const std::vector<std::string_view>& pieces) {
  std::vector<uint64_t> found;
  for (const std::string_view piece : pieces) {
    char32_t before = 0;
    for (size_t i = 0; i < piece.size();) {
      const Utf8Step step = utf8_step(piece, i);
      if (i > 0 && before < 128 && step.cp < 128) {
        ascii_[before][step.cp >> 6] |= uint64_t{1} << (step.cp & 63);
      } else if (i > 0) {
        found.push_back(key(before, step.cp));
        beyond_joins_blank_ |= step.cp <= ' ';
      }
      before = step.cp;
      i += step.bytes;
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  table_.assign(std::bit_ceil(found.size() * 2 + 2), 0);
  for (const uint64_t pair : found) {
    uint64_t at = hash(pair) & (table_.size() - 1);
    while (table_[at] != 0) at = (at + 1) & (table_.size() - 1);
    table_[at] = pair;
  }
}

}  // namespace cutaway
