// The tensors of a block with attention and a gated MLP, read by a family's own table of names.
#pragma once
#include "model/loader.h"
#include "ops/ops.h"

namespace cutaway {

// A family's spellings; {nullptr, nullptr} where it has no such tensor. Biases are read where a GGUF file
// holds them, or where config.json promises them.
struct BlockNames {
  Spelling ln1, W_Q, W_K, W_V, W_O, ln2, W_gate, W_in, W_out;
  Spelling b_Q{}, b_K{}, b_V{}, b_O{};
  Spelling q_norm{}, k_norm{}, ln1_post{}, ln2_post{};
};

struct Block {
  const std::vector<float>* ln1;  // [d_model]
  AttentionWeights attn;
  OutputWeights attn_out;
  const std::vector<float>* ln2;  // [d_model]
  const Matrix *W_gate, *W_in;    // [d_mlp, d_model]
  OutputWeights mlp_out;
};

// qk_order: the file's row for each row of W_Q and W_K (null: as stored). norm_offset: added to every norm
// weight.
Block read_block(Loader& in, const Config& c, int layer, const BlockNames& names, RowOrder qk_order,
                 float norm_offset);

// The recipe of a block, x: [pos, d_model] -> [pos, d_model]. Biases, q/k norms and the norms after a
// sublayer are there when the block holds them.
//   x = x + post1(W_O attention(ln1(x)));   x = x + post2(W_out (act(W_gate h) * W_in h)), h = ln2(x)
ValueId gated_block(const Scope& s, ValueId x, const Block& b);

// Embedding (it fixes d_vocab) and head, tied where the file has no tensor of its own; config.json must agree
// (tied_by_default: what a config.json of the family means that does not say).
const Matrix& read_embedding(Loader& in, Config& c, const Spelling& tensor);
const Matrix& read_head(Loader& in, Config& c, const Spelling& tensor, const Matrix& W_E,
                        bool tied_by_default);

// n_layers, d_model, heads, d_mlp, n_ctx, eps by the keys that GGUF files of `arch` and config.json files
// share.
void read_sizes(Loader& in, Config& c, const std::string& arch, int64_t default_d_head);

// The rotary base: GGUF's key; in config.json the older spelling, the newer one, or both if they agree.
double read_rope_base(const Loader& in, const Spelling& key, const char* newer, double otherwise);

// Only whole heads are rotated: FormatError when config.json's partial_rotary_factor, here or below `at`, is
// not 1.
void refuse_partial_rotation(const Loader& in, const std::string& at);

// A switch of config.json for something we do not compute: FormatError when it is on.
void refuse_if(const Loader& in, const char* key);

// Keys of config.json that say nothing about the forward pass.
std::vector<std::string> harmless_keys(const Loader& in, std::vector<std::string> more);

}  // namespace cutaway
