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
  slots_.assign(std::bit_ceil(tokens.size() * 2 + 2), Slot{0, -1});
  mask_ = slots_.size() - 1;
  begin_.push_back(0);
  for (const std::string& token : tokens) {
    text_ += token;
    begin_.push_back(static_cast<uint32_t>(text_.size()));
    longest_ = std::max(longest_, token.size());
  }
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) continue;
    const uint64_t hash = hash_bytes(tokens[id]);
    const uint32_t tag = static_cast<uint32_t>(hash >> 32);
    size_t at = hash & mask_;
    while (slots_[at].id >= 0 && !(slots_[at].tag == tag && this->bytes(slots_[at].id) == tokens[id])) {
      at = (at + 1) & mask_;
    }
    if (slots_[at].id < 0) slots_[at] = {tag, static_cast<int32_t>(id)};
  }
}

}  // namespace cutaway
