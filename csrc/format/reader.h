// A bounds-checked, windowed little-endian reader. Every length that a file claims is compared with the bytes
// that are left before anything is done with it, by division: a product could overflow.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "format/file.h"

namespace cutaway::format {

static_assert(std::endian::native == std::endian::little, "GGUF and safetensors are read as little-endian");

class Reader {
 public:
  // Reads [begin, end of file). `file` must outlive the reader.
  explicit Reader(const File& file, uint64_t begin = 0);

  uint64_t at() const { return at_; }
  uint64_t left() const { return file_->size() - at_; }
  // What is being read, for messages: "key number 3" or "key 'general.name'". Kept by reference, so that a
  // header of half a million keys does not pay for half a million texts; `name` must live until the next
  // call.
  void context(const char* kind, uint64_t number) { kind_ = kind, name_ = {}, number_ = number; }
  void context(const char* kind, std::string_view name) { kind_ = kind, name_ = name; }

  // One number of the file's own width; bool is not a number here.
  template <class T>
  T number() {
    T out;
    const bool here = at_ >= window_begin_ && window_.size() >= sizeof(T) &&
                      at_ - window_begin_ <= window_.size() - sizeof(T);
    std::memcpy(&out, here ? window_.data() + (at_ - window_begin_) : window(sizeof(T)), sizeof(T));
    at_ += sizeof(T);
    return out;
  }
  void bytes(uint64_t n, void* out);
  void skip(uint64_t n);

  // A length or count that the file claims, of items that take at least `item` bytes each: FormatError when
  // they cannot fit in what is left.
  uint64_t count(const char* of, uint64_t item);

  // FormatError with the file, the offset and the context in front.
  [[noreturn]] void fail(const std::string& problem) const { fail_at(at_, problem); }
  [[noreturn]] void fail_at(uint64_t offset, const std::string& problem) const;

 private:
  void need(uint64_t n) const;
  const char* window(size_t n);  // n contiguous bytes at at_

  const File* file_;
  uint64_t at_;
  uint64_t window_begin_ = 0;
  std::vector<char> window_;
  const char* kind_ = nullptr;
  std::string_view name_;
  uint64_t number_ = 0;
};

}  // namespace cutaway::format
