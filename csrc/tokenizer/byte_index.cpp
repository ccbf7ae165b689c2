#include "tokenizer/byte_index.h"

#include <algorithm>

#include "core/error.h"

namespace cutaway {

TokenIndex::TokenIndex(const std::vector<std::string>& tokens) {
  size_t bytes = 0;
  for (const std::string& token : tokens) bytes += token.size();
  if (bytes > UINT32_MAX) {
    throw FormatError(text("the vocabulary spells {} bytes, expected at most {}", bytes, UINT32_MAX));
  }
  text_.reserve(bytes);
  begin_.reserve(tokens.size() + 1);
  slots_.assign(std::bit_ceil(tokens.size() * 2 + 2), Slot{0, -1, 0});
  mask_ = slots_.size() - 1;
  begin_.push_back(0);
  for (const std::string& token : tokens) {
    text_ += token;
    begin_.push_back(static_cast<uint32_t>(text_.size()));
    longest_ = std::max(longest_, token.size());
  }
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty() || find(tokens[id]) >= 0) continue;
    const uint64_t key = key_of(tokens[id]);
    const uint32_t size = static_cast<uint32_t>(tokens[id].size());
    size_t at = place(key, size);
    while (slots_[at].id >= 0) at = (at + 1) & mask_;
    slots_[at] = {key, static_cast<int32_t>(id), size};
  }
}

}  // namespace cutaway
