// The KV cache: blocks of 64 absolute positions (all layers), shared by reference. Whoever appends to a block
// with more than one owner copies it first, so forks, sweeps and beams share a prompt.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "kernels.h"

namespace cutaway {

struct KvShape {
  int64_t n_layers = 0, n_kv_heads = 0, d_head = 0;
  kernels::KvType type = kernels::KvType::f32;
  int64_t d_pad() const { return (d_head + kernels::kLanes - 1) / kernels::kLanes * kernels::kLanes; }
  int64_t tile_bytes() const { return kernels::kv_bytes(type, d_head * kernels::kLanes); }  // of 16 keys
  int64_t row_bytes() const { return kernels::kv_bytes(type, d_pad()); }                    // of a value
  // One head of one layer of a block.
  int64_t k_bytes() const { return kernels::kKvBlock / kernels::kLanes * tile_bytes(); }
  int64_t v_bytes() const { return kernels::kKvBlock * row_bytes(); }
  int64_t block_bytes() const { return n_layers * n_kv_heads * (k_bytes() + v_bytes()); }
};

// "F32", "F16" or "Q8_0"; "": F16 in int8 mode, else F32. ArgumentError for another, or one that heads of
// this size cannot have.
kernels::KvType kv_type(const std::string& name, bool int8, int64_t d_head);
const char* kv_dtype(kernels::KvType type);  // as users read it: "float32", "float16", "Q8_0"

class KvCache {
 public:
  KvCache(const KvShape& shape, BufferPool* pool) : shape_(shape), pool_(pool) {}

  int64_t length() const { return length_; }
  const KvShape& shape() const { return shape_; }
  // Makes positions [length, length + n) writable by this cache alone. The length changes by commit() only.
  void reserve(int64_t n);
  void commit(int64_t n) { length_ += n; }
  void truncate(int64_t n);               // n <= length
  KvCache fork() const { return *this; }  // shares every block
  int64_t bytes_to_reserve(int64_t n) const;
  int64_t n_blocks() const { return static_cast<int64_t>(blocks_.size()); }

  // K tiles [4, d_head, 16] and V rows [64, d_pad] of one head of one block.
  char* k(int64_t block, int64_t layer, int64_t head) const {
    return static_cast<char*>(blocks_[block]->data()) +
           (layer * shape_.n_kv_heads + head) * (shape_.k_bytes() + shape_.v_bytes());
  }
  char* v(int64_t block, int64_t layer, int64_t head) const {
    return k(block, layer, head) + shape_.k_bytes();
  }

  // What is stored, widened exactly. k, v: [length, n_kv_heads, d_head].
  void read(int64_t layer, const kernels::Table& kernels, float* k, float* v) const;

 private:
  KvShape shape_;
  BufferPool* pool_;
  std::vector<std::shared_ptr<Buffer>> blocks_;
  int64_t length_ = 0;
};

}  // namespace cutaway
