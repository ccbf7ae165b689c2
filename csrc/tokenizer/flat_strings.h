// Many short strings in one array, by number: the bytes of all tokens. Immutable; copies share the array.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cutaway {

class FlatStrings {
 public:
  static constexpr size_t kSpare = 16;  // bytes that may be read behind the last string

  FlatStrings() = default;
  FlatStrings(const std::vector<std::string>& all);  // FormatError above 4 GiB
  explicit FlatStrings(const std::vector<std::string_view>& all);
  // Those of arrays that the owner keeps. begin: [n + 1], from 0 on, ascending; kSpare bytes follow the last.
  FlatStrings(std::shared_ptr<const void> owner, const char* text, const uint32_t* begin, size_t n)
      : owner_(std::move(owner)), text_(text), begin_(begin), n_(n) {}

  size_t size() const { return n_; }
  std::string_view operator[](size_t i) const { return {text_ + begin_[i], begin_[i + 1] - begin_[i]}; }
  size_t length(size_t i) const { return begin_[i + 1] - begin_[i]; }
  size_t bytes() const { return n_ ? begin_[n_] : 0; }  // of all
  const char* text() const { return text_; }            // one behind the other
  const uint32_t* begin() const { return begin_; }      // [n + 1]: where each begins in text()

 private:
  template <class String>
  void fill(const std::vector<String>& all);
  std::shared_ptr<const void> owner_;
  const char* text_ = nullptr;
  const uint32_t* begin_ = nullptr;
  size_t n_ = 0;
};

}  // namespace cutaway
