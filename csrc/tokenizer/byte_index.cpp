#include "tokenizer/byte_index.h"

#include <algorithm>

namespace cutaway {

TokenIndex::TokenIndex(FlatStrings tokens, std::span<const int32_t> hidden, bool filtered)
    : tokens_(std::move(tokens)),
      memory_(std::bit_ceil(tokens_.size() * 2 + 2) * sizeof(Slot)),
      slots_(static_cast<Slot*>(memory_.data())),
      mask_(memory_.bytes() / sizeof(Slot) - 1),
      all_found_below_(size()) {
  constexpr size_t kBatch = 32;  // places that are fetched before the first of them is needed
  const size_t n = tokens_.size();
  if (filtered) filter_.resize(std::max<size_t>(1, (mask_ + 1) * kFilterBits / 64));
  filter_shift_ = 64 - std::countr_zero(std::max<size_t>(64, (mask_ + 1) * kFilterBits));
  for (size_t first = 0; first < n; first += kBatch) {
    const size_t last = std::min(first + kBatch, n);
    struct {
      uint64_t key, mix;
    } all[kBatch];
    for (size_t id = first; id < last; ++id) {
      const std::string_view token = tokens_[id];
      if (token.empty()) continue;
      auto& one = all[id - first];
      one.key = quick_key_of(token);
      one.mix = mixed_of(one.key, static_cast<uint32_t>(token.size()));
#ifdef __GNUC__
      __builtin_prefetch(&slots_[one.mix & mask_], 1);
#endif
    }
    for (size_t id = first; id < last; ++id) {
      const uint32_t size = static_cast<uint32_t>(tokens_.length(id));
      const bool is_hidden = !hidden.empty() && static_cast<size_t>(hidden.front()) == id;
      if (is_hidden) hidden = hidden.subspan(1);
      if (size == 0 || is_hidden) {
        all_found_below_ = std::min(all_found_below_, static_cast<int32_t>(id));
        continue;
      }
      const auto& [key, mix] = all[id - first];
      size_t at = mix & mask_;
      for (; slots_[at].size > 0; at = (at + 1) & mask_) {
        const Slot& slot = slots_[at];
        if (slot.key == key && slot.size == size && (size <= 8 || bytes(slot.id) == tokens_[id])) break;
      }
      if (slots_[at].size > 0) {
        if (same_.first < 0) same_ = {slots_[at].id, static_cast<int32_t>(id)};
        all_found_below_ = std::min(all_found_below_, static_cast<int32_t>(id));
        continue;
      }
      slots_[at] = {key, static_cast<int32_t>(id), size};
      if (filtered) filter_[mix >> filter_shift_ >> 6] |= uint64_t{1} << (mix >> filter_shift_ & 63);
      longest_ = std::max<size_t>(longest_, size);
    }
  }
}

}  // namespace cutaway
