#include "model/kv_cache.h"

#include <atomic>
#include <cstring>

#include "core/error.h"

namespace cutaway {

using kernels::kKvBlock;
using kernels::kLanes;
using kernels::KvType;

KvType kv_type(const std::string& name, bool int8, int64_t d_head) {
  if (name.empty()) return int8 ? KvType::f16 : KvType::f32;
  if (name == "F32") return KvType::f32;
  if (name == "F16") return KvType::f16;
  if (name != "Q8_0") throw ArgumentError(text("kv_type is '{}', expected 'F32', 'F16' or 'Q8_0'", name));
  if (d_head % kernels::kQBlock)
    throw ArgumentError(
        text("kv_type is 'Q8_0', whose blocks hold {} numbers; the heads of this model have {}, which is no "
             "multiple "
             "of that; leave kv_type out, or load with 'F16'",
             kernels::kQBlock, d_head));
  return KvType::q8_0;
}

const char* kv_dtype(KvType type) {
  return type == KvType::f32 ? "float32" : type == KvType::f16 ? "float16" : "Q8_0";
}

int64_t KvCache::bytes_to_reserve(int64_t n) const {
  int64_t fresh = (length_ + n + kKvBlock - 1) / kKvBlock - n_blocks();
  if (n > 0 && length_ / kKvBlock < n_blocks() && blocks_[length_ / kKvBlock].use_count() > 1) ++fresh;
  return (fresh > 0 ? fresh : 0) * shape_.block_bytes();
}

void KvCache::reserve(int64_t n) {
  if (n <= 0) return;
  const int64_t first = length_ / kKvBlock, last = (length_ + n - 1) / kKvBlock;
  const bool shared = first < n_blocks() && blocks_[first].use_count() > 1;
  // use_count() orders nothing: whoever let go of the block last has finished copying it before we write.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (shared) {
    auto copy = pool_->take(shape_.block_bytes());
    std::memcpy(copy->data(), blocks_[first]->data(), shape_.block_bytes());
    blocks_[first] = std::move(copy);
  }
  while (n_blocks() <= last) blocks_.push_back(pool_->take(shape_.block_bytes()));
}

void KvCache::truncate(int64_t n) {
  length_ = n;
  blocks_.resize((n + kKvBlock - 1) / kKvBlock);
}

void KvCache::read(int64_t layer, const kernels::Table& kernels, float* k, float* v) const {
  for (int64_t p = 0; p < length_; ++p)
    for (int64_t h = 0; h < shape_.n_kv_heads; ++h, k += shape_.d_head, v += shape_.d_head) {
      const int64_t block = p / kKvBlock, slot = p % kKvBlock;
      kernels.load_k(k, this->k(block, layer, h) + slot / kLanes * shape_.tile_bytes(), slot % kLanes,
                     shape_.d_head, shape_.type);
      kernels.load_v(v, this->v(block, layer, h) + slot * shape_.row_bytes(), shape_.d_head, shape_.type);
    }
}

}  // namespace cutaway
