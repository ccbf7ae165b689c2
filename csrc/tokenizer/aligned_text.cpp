#include "tokenizer/aligned_text.h"

#include <algorithm>

#include "core/error.h"

namespace cutaway {

void check_growth(size_t given, size_t made) {
  const size_t most = 64 * given + (size_t{1} << 20);
  if (made <= most) return;
  throw FormatError(text(
      "the tokenizer's rules make more than {} bytes of a text of {} bytes, which is the most that is done; "
      "the file is damaged, or is meant to fill the memory",
      most, given));
}

Span AlignedText::origin(size_t begin, size_t end) const {
  if (!changed_) return {at_ + static_cast<uint32_t>(begin), at_ + static_cast<uint32_t>(end)};
  if (origin_.empty()) return {at_, at_};
  if (begin >= end) {
    const uint32_t stands = begin < origin_.size() ? origin_[begin].begin : origin_.back().end;
    return {stands, stands};
  }
  Span all = origin_[begin];
  for (size_t i = begin + 1; i < end; ++i) {  // not always the first and the last: marks are put in order
    all.begin = std::min(all.begin, origin_[i].begin);
    all.end = std::max(all.end, origin_[i].end);
  }
  return all;
}

AlignedText AlignedText::slice(size_t begin, size_t end) const {
  AlignedText out(view().substr(begin, end - begin), at_ + static_cast<uint32_t>(begin));
  if (!changed_) return out;
  out.at_ = origin(begin, begin).begin;
  out.changed_ = true;
  out.own_ = own_.substr(begin, end - begin);
  out.origin_.assign(origin_.begin() + begin, origin_.begin() + end);
  return out;
}

void Rewriter::differ() {
  if (differs_) return;
  differs_ = true;
  own_.reserve(from_.size() + from_.size() / 8 + 16);
  origin_.reserve(own_.capacity());
  const size_t end = done_;
  done_ = 0;
  keep(end);
}

void Rewriter::keep(size_t end) {
  if (differs_ && end > done_) {
    own_.append(from_, done_, end - done_);
    for (size_t i = done_; i < end; ++i) origin_.push_back(text_.origin(i, i + 1));
  }
  done_ = std::max(done_, end);
}

void Rewriter::replace(size_t begin, size_t end, std::string_view with) {
  keep(begin);
  check_growth(text_.given_.size(), size() + with.size());
  if (with == from_.substr(begin, end - begin)) return keep(end);
  differ();
  own_.append(with);
  origin_.insert(origin_.end(), with.size(), text_.origin(begin, end));
  done_ = end;
}

void Rewriter::finish() {
  keep(from_.size());
  if (!differs_) return;
  text_.own_ = std::move(own_);
  text_.origin_ = std::move(origin_);
  text_.changed_ = true;
}

}  // namespace cutaway
