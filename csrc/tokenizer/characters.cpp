#include "tokenizer/characters.h"

#include <algorithm>
#include <iterator>

namespace cutaway {
namespace {

constexpr uint32_t kRuns[] = {
#include "tokenizer/unicode_table.inc"
};

CharClass class_of(char32_t cp, CharClass category) {
  if (cp == '\r' || cp == '\n') return kNewline;
  return (cp >= 9 && cp <= 12) || cp == 0x85 ? kBlankControl : category;
}

}  // namespace

// Two stages: the number of a block for every 256 code points, and the distinct blocks (about 200 of 4352).
CharTable::CharTable() {
  std::array<int, kCategories> even;  // the block that is of one category throughout
  even.fill(-1);
  size_t run = 0;
  for (uint32_t b = 0; b < block_of_.size(); ++b) {
    const uint32_t begin = b * 256, end = begin + 256;
    while (run + 1 < std::size(kRuns) && kRuns[run + 1] >> 5 <= begin) ++run;
    const bool is_even = run + 1 == std::size(kRuns) || kRuns[run + 1] >> 5 >= end;
    int& known = even[kRuns[run] & 31];
    if (is_even && known >= 0) {
      block_of_[b] = static_cast<uint16_t>(known);
      continue;
    }
    std::array<CharClass, 256> block;
    for (uint32_t i = 0; i < 256; ++i) {
      while (run + 1 < std::size(kRuns) && kRuns[run + 1] >> 5 <= begin + i) ++run;
      block[i] = class_of(begin + i, static_cast<CharClass>(kRuns[run] & 31));
    }
    block_of_[b] = static_cast<uint16_t>(blocks_.size());
    if (is_even) known = static_cast<int>(blocks_.size());
    blocks_.push_back(block);
  }
  for (char32_t c = 0; c < ascii_.size(); ++c) ascii_[c] = CharSet{1} << of(c);
}

const CharTable& CharTable::get() {
  static const CharTable table;
  return table;
}

}  // namespace cutaway
