// The coarse operations that recipes are written in. Each call names its values and adds one phase to the
// plan.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "model/plan.h"

namespace cutaway {

// The rows a linear layer reads: a value, or RMSNorm of a value whose phase is the prologue of its consumer.
struct Input {
  ValueId x = kNoValue;
  const std::vector<float>* norm = nullptr;  // weight [width]; null: x itself
  float eps = 0.0f;
  ValueId scale = kNoValue, normalized = kNoValue;
  int64_t width = 0;
};

struct AttentionWeights {
  const Matrix *W_Q, *W_K, *W_V;  // [heads * d_head, d_model]
  const std::vector<float>*b_Q = nullptr, *b_K = nullptr, *b_V = nullptr;
  const std::vector<float>*q_norm = nullptr, *k_norm = nullptr;  // [d_head]
};

struct Qkv {
  ValueId rot_q;
};

ValueId embed(Plan& p, const Config& c, const Matrix& W_E);
// A second name for a value: the same buffer unless one of the two is hooked.
ValueId alias(Plan& p, int layer, const std::string& name, ValueId of, const std::string& equation);
Input plain(const Plan& p, ValueId x);
Input rms_norm(Plan& p, int layer, const std::string& name, ValueId x, const std::vector<float>& weight,
               float eps);
Qkv qkv_rope(Plan& p, const Config& c, int layer, const Input& in, const AttentionWeights& w);
ValueId attention(Plan& p, const Config& c, int layer, const Qkv& qkv);
int64_t attention_scratch(const Config& c, int64_t n_keys);  // bytes of a worker's scratch
// residual + [post_norm] (W in + b); names `out` ("attn_out") and `sum` ("resid_mid").
ValueId linear_add(Plan& p, const Config& c, int layer, const std::string& out, const std::string& sum,
                   const Input& in, const Matrix& W, const std::vector<float>* bias, ValueId residual,
                   const std::vector<float>* post_norm, const std::string& post_name);
ValueId gated_mlp(Plan& p, const Config& c, int layer, const Input& in, const Matrix& W_gate,
                  const Matrix& W_in);
ValueId head(Plan& p, const Config& c, const Input& in, const Matrix& W_U);

// ---- shared by the phases (ops/input.cpp)

// The work of a stage: linear layers that share `tiles` tiles; a row-wise step over `elements` numbers a row.
Work linear_work(const Run& run, int64_t rows, std::initializer_list<const Matrix*> matrices, int64_t tiles);
Work row_work(const Run& run, int64_t rows, int64_t elements);
constexpr int64_t kElement = 8;  // multiply-adds that one number of a norm, activation or softmax costs

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

bool needs_int8(const Run& run, const Matrix& m);
// Rows w.rows of the input. All workers call it. Up to kFewRows each does all of them for itself; else it
// ends in a barrier.
Prepared prepare(Run& run, Worker& w, const Input& in, bool want_int8);
int64_t prepare_scratch(int64_t max_cols);  // bytes of a worker's scratch that prepare() uses
// Rows `rows` and tiles `tiles` of out = W x. out: [run.rows, W.rows]; in: from row rows.begin on.
void run_linear(const Run& run, const Matrix& m, const Prepared& in, Range rows, Range tiles, float* out);
// A stage for the norm alone, for when its result is hooked; returns the input to use after it.
Input norm_stage(const Input& in, std::vector<Stage>& out);

}  // namespace cutaway
