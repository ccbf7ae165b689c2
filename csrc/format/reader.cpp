#include "format/reader.h"

#include <algorithm>

#include "core/error.h"
#include "format/utf8.h"

namespace cutaway::format {
namespace {

constexpr uint64_t kWindow = 1 << 16;

}  // namespace

Reader::Reader(const File& file, uint64_t begin) : file_(&file), at_(std::min(begin, file.size())) {}

void Reader::fail_at(uint64_t offset, const std::string& problem) const {
  const std::string what = !kind_          ? "header"
                           : name_.empty() ? text("{} number {}", kind_, number_)
                                           : text("{} '{}'", kind_, shown(name_));
  throw FormatError(text("{}: {} at offset {}: {}", shown(file_->path()), what, offset, problem));
}

void Reader::need(uint64_t n) const {
  if (n > left()) {
    fail(text("{} bytes expected, {} left in the file; the file is cut short or damaged, fetch it again", n,
              left()));
  }
}

const char* Reader::window(size_t n) {
  need(n);
  if (at_ < window_begin_ || at_ - window_begin_ > window_.size() ||
      window_.size() - (at_ - window_begin_) < n) {
    window_.resize(static_cast<size_t>(std::min(kWindow, left())));
    window_begin_ = at_;
    file_->read(at_, window_.size(), window_.data());
  }
  return window_.data() + (at_ - window_begin_);
}

void Reader::bytes(uint64_t n, void* out) {
  if (n == 0) return;
  if (n <= kWindow / 4) {
    std::memcpy(out, window(static_cast<size_t>(n)), static_cast<size_t>(n));
  } else {
    need(n);
    file_->read(at_, n, out);
  }
  at_ += n;
}

void Reader::skip(uint64_t n) {
  need(n);
  at_ += n;
}

uint64_t Reader::count(const char* of, uint64_t item) {
  const uint64_t offset = at_;
  const uint64_t n = number<uint64_t>();
  if (n > left() / item) {
    fail_at(
        offset,
        text("claims {} {} of at least {} bytes each, {} bytes are left in the file; the file is cut short "
             "or damaged, fetch it again",
             n, of, item, left()));
  }
  return n;
}

}  // namespace cutaway::format
