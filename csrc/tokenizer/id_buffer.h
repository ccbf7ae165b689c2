// Token ids on their way out: a growing array that writers fill through a plain pointer.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace cutaway {

class IdBuffer {
 public:
  // Room for n more; the pointer is good until the next call. commit() says how far it was used.
  int32_t* room(size_t n) {
    if (size_ + n > capacity_) grow(n);
    return data_.get() + size_;
  }
  void commit(const int32_t* end) { size_ = static_cast<size_t>(end - data_.get()); }
  void push(int32_t id) { *room(1) = id, ++size_; }
  void append(const std::vector<int32_t>& ids) {
    std::copy(ids.begin(), ids.end(), room(ids.size()));
    size_ += ids.size();
  }
  void clear() { size_ = 0; }
  const int32_t* data() const { return data_.get(); }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }

 private:
  void grow(size_t n) {
    const size_t capacity = std::max(size_ + n, capacity_ * 2);
    std::unique_ptr<int32_t[]> larger(new int32_t[capacity]);  // not set to zero
    if (size_) std::memcpy(larger.get(), data_.get(), size_ * sizeof(int32_t));
    data_ = std::move(larger), capacity_ = capacity;
  }
  std::unique_ptr<int32_t[]> data_;
  size_t size_ = 0, capacity_ = 0;
};

}  // namespace cutaway
