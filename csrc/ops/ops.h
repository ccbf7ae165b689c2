// The coarse operations that recipes are written in. Each call names its values and adds one phase to the
// plan, but for rms_norm: a norm is done by the phase that reads it.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "ops/scope.h"

namespace cutaway {

// The rows a linear layer reads: a value, or RMSNorm of a value whose phase is the prologue of its consumer.
struct Input {
  ValueId x = kNoValue;                      // [pos, width]
  const std::vector<float>* norm = nullptr;  // weight [width]; null: x itself
  float eps = 0.0f;
  ValueId scale = kNoValue, normalized = kNoValue;  // [pos, 1], [pos, width]
  int64_t width = 0;
  ValueId rows() const { return norm ? normalized : x; }
};

struct AttentionWeights {
  const Matrix *W_Q, *W_K, *W_V;                                           // [heads * d_head, d_model]
  const std::vector<float>*b_Q = nullptr, *b_K = nullptr, *b_V = nullptr;  // [heads * d_head]
  const std::vector<float>*q_norm = nullptr, *k_norm = nullptr;            // [d_head]
};

// The last linear layer of a sublayer, its bias, the norm between it and the residual stream.
struct OutputWeights {
  const Matrix* W;                           // [d_model, n_heads * d_head or d_mlp]
  const std::vector<float>* bias = nullptr;  // [d_model]
  const std::vector<float>* post = nullptr;  // [d_model], in sandwich-norm families
};

// The names of what it adds to the residual stream.
struct OutputNames {
  const char *out, *sum;        // "attn_out", "resid_mid"
  const char *W, *bias, *post;  // "W_O", "b_O", "ln1_post"
};

ValueId embed(const Scope& s, const Matrix& W_E);  // [pos, d_model]
// A second name for a value: the same buffer unless one of the two is hooked.
ValueId alias(const Scope& s, const std::string& name, ValueId of, const std::string& equation);
Input rms_norm(const Scope& s, const std::string& name, ValueId x, const std::vector<float>& weight);
// Writes k and v to the KV cache; the result is rot_q [pos, n_heads, d_head].
ValueId qkv_rope(const Scope& s, const Input& in, const AttentionWeights& w);
ValueId attention(const Scope& s, ValueId rot_q);  // z: [pos, n_heads, d_head]
// residual + post norm(W x + bias): [pos, d_model]
ValueId linear_add(const Scope& s, const OutputNames& names, ValueId x, const OutputWeights& w,
                   ValueId residual);
ValueId gated_mlp(const Scope& s, const Input& in, const Matrix& W_gate, const Matrix& W_in);  // [pos, d_mlp]
ValueId head(const Scope& s, const Input& in, const Matrix& W_U);  // logits: [rows asked for, d_vocab]

// ---- shared by the phases

// Lays arrays one after the other, in steps of 64 bytes. Without a base it only counts the bytes.
class Carver {
 public:
  explicit Carver(void* base = nullptr) : base_(static_cast<uint8_t*>(base)) {}
  template <class T>
  T* take(int64_t n) {
    T* p = base_ ? reinterpret_cast<T*>(base_ + bytes_) : nullptr;
    bytes_ += (n * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    return p;
  }
  int64_t bytes() const { return bytes_; }

 private:
  uint8_t* base_;
  int64_t bytes_ = 0;
};

// The work of a stage: linear layers that share `tiles` tiles; a row-wise step over `elements` numbers a row.
Work linear_work(const Run& run, int64_t rows, std::initializer_list<const Matrix*> matrices, int64_t tiles);
Work row_work(const Run& run, int64_t rows, int64_t elements);
constexpr int64_t kElement = 8;  // multiply-adds that one number of a norm, activation or softmax costs

Cost linear_cost(const Run& run, int64_t rows, std::initializer_list<const Matrix*> matrices);

// Columns [begin, end) of a span of tiles; the last tile can have fewer than 16.
inline Range columns(Range tiles, const Matrix& m) {
  return {std::min(tiles.begin * kernels::kLanes, m.rows), std::min(tiles.end * kernels::kLanes, m.rows)};
}

// Rows ready for a linear layer.
struct Prepared {
  const float* x = nullptr;
  int64_t ld = 0;
  kernels::Int8Rows int8{};
};

Input plain(const Plan& p, ValueId x);
void reads(Plan& p, const Input& in);  // the next phase reads it
bool needs_int8(const Run& run, const Matrix& m);
// What a worker does at a time in a stage of linear layers: rows that pass over tiles.
struct Share {
  Range rows, tiles;
  bool keeps;  // this worker writes the traced values of its input
};

// Calls work(Share) for this worker's share of the tiles, kRowBlock rows at a time. Each worker prepares all
// rows for itself: many rows come from a chain, where it is alone.
template <class F>
void share_linear(const Worker& w, F&& work) {
  for (int64_t begin = w.rows.begin; begin < w.rows.end; begin += kRowBlock)
    work(Share{{begin, std::min(begin + kRowBlock, w.rows.end)}, w.share(w.tiles), w.id == 0});
}

// The rows of a share, for its worker.
Prepared prepare(Run& run, const Worker& w, const Input& in, bool want_int8, const Share& share);
// Bytes of a worker's scratch that prepare() and attention() use.
int64_t prepare_scratch(int64_t max_cols);
int64_t attention_scratch(const Config& c, int64_t n_keys);
// The share's rows and tiles of out = W x.
void run_linear(const Run& run, const Matrix& m, const Prepared& in, Range rows, Range tiles, ValueId out);
// A stage for the norm alone, for when its result is hooked; returns the input to use after it.
Input norm_stage(const Input& in, std::vector<Stage>& out);

}  // namespace cutaway
