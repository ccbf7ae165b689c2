// What a forward pass needs to know, in one vocabulary whatever the file calls it (docs/names.md).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace cutaway {

enum class Activation { silu, gelu_tanh };

// Rotary embedding of one kind of layer. inv_freq: [half], float64 rounded to float32, scalings included.
struct Rope {
  std::vector<float> inv_freq;
  bool halves = true;  // pair (i, i + half); otherwise neighbours (2i, 2i + 1)
  double base = 10000.0;
  std::string scaling = "none";
};

struct LayerConfig {
  int64_t window = 0;  // sliding window: keys in (pos - window, pos]; 0 = all
  int rope = 0;        // index into Config::ropes
};

struct Config {
  std::string arch;
  int64_t n_layers = 0, d_model = 0, n_heads = 0, n_kv_heads = 0, d_head = 0, d_mlp = 0, d_vocab = 0,
          n_ctx = 0;
  float eps = 0.0f;
  float attn_scale = 0.0f;      // scores = q.k * attn_scale
  float attn_soft_cap = 0.0f;   // 0 = none
  float final_soft_cap = 0.0f;  // 0 = none
  float embed_scale = 1.0f;
  bool tied_embeddings = false;
  Activation activation = Activation::silu;
  std::vector<Rope> ropes;
  std::vector<LayerConfig> layers;
};

}  // namespace cutaway
