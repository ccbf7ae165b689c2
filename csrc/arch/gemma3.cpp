// Gemma 3 (Gemma Team 2025), text: sandwich norms, q/k norms, five sliding-window layers for each global one,
// each kind with its own rotary base, embeddings scaled by sqrt(d_model), GELU.
//   x = x + norm(W_O attention(norm(x)));   x = x + norm(W_out (gelu(W_gate h) * W_in h)), h = norm(x)
#include <cmath>

#include "arch/gated_block.h"
#include "core/error.h"

namespace cutaway {
namespace {

const BlockNames kNames = {
    .ln1 = {"blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"},
    .W_Q = {"blk.{}.attn_q.weight", "model.layers.{}.self_attn.q_proj.weight"},
    .W_K = {"blk.{}.attn_k.weight", "model.layers.{}.self_attn.k_proj.weight"},
    .W_V = {"blk.{}.attn_v.weight", "model.layers.{}.self_attn.v_proj.weight"},
    .W_O = {"blk.{}.attn_output.weight", "model.layers.{}.self_attn.o_proj.weight"},
    .ln2 = {"blk.{}.ffn_norm.weight", "model.layers.{}.pre_feedforward_layernorm.weight"},
    .W_gate = {"blk.{}.ffn_gate.weight", "model.layers.{}.mlp.gate_proj.weight"},
    .W_in = {"blk.{}.ffn_up.weight", "model.layers.{}.mlp.up_proj.weight"},
    .W_out = {"blk.{}.ffn_down.weight", "model.layers.{}.mlp.down_proj.weight"},
    .q_norm = {"blk.{}.attn_q_norm.weight", "model.layers.{}.self_attn.q_norm.weight"},
    .k_norm = {"blk.{}.attn_k_norm.weight", "model.layers.{}.self_attn.k_norm.weight"},
    .ln1_post = {"blk.{}.post_attention_norm.weight", "model.layers.{}.post_attention_layernorm.weight"},
    .ln2_post = {"blk.{}.post_ffw_norm.weight", "model.layers.{}.post_feedforward_layernorm.weight"},
};

// Layer i attends globally when it is the last of each run of `period`; config.json may list the layers
// instead.
std::vector<bool> global_layers(Loader& in, int64_t n_layers) {
  std::vector<bool> global(n_layers);
  const auto* types = in.gguf() ? nullptr : in.file().metadata.strings("layer_types");
  if (types) {
    if (static_cast<int64_t>(types->size()) != n_layers)
      in.fail(text("key 'layer_types' lists {} layers, expected {}", types->size(), n_layers));
    for (int64_t i = 0; i < n_layers; ++i) {
      global[i] = (*types)[i] == "full_attention";
      if (!global[i] && (*types)[i] != "sliding_attention")
        in.fail(
            text("key 'layer_types' has '{}', expected full_attention or sliding_attention", (*types)[i]));
    }
    return global;
  }
  int64_t period =
      in.count({"gemma3.attention.sliding_window_pattern", "sliding_window_pattern"}, 1, 1024, 6);
  if (!in.gguf()) period = in.count({"", "_sliding_window_pattern"}, 1, 1024, period);
  for (int64_t i = 0; i < n_layers; ++i) global[i] = i % period == period - 1;
  return global;
}

// Rope 0: global layers, with the file's scaling; rope 1: sliding-window layers, never scaled.
std::vector<Rope> read_ropes(Loader& in, int64_t d_head) {
  const std::string scaling = in.gguf() ? "gemma3.rope.scaling."
                              : in.has_keys("rope_parameters.full_attention.")
                                  ? "rope_parameters.full_attention."
                                  : "rope_scaling.";
  const double base = read_rope_base(in, {"gemma3.rope.freq_base", "rope_theta"},
                                     "rope_parameters.full_attention.rope_theta", 1e6);
  const double local = read_rope_base(in, {"gemma3.rope.freq_base_swa", "rope_local_base_freq"},
                                      "rope_parameters.sliding_attention.rope_theta", 10000.0);
  refuse_partial_rotation(in, "rope_parameters.full_attention.");
  refuse_partial_rotation(in, "rope_parameters.sliding_attention.");
  if (!in.gguf())
    if (const auto type = rope_scaling(in, "rope_parameters.sliding_attention.").type; type != "none")
      in.fail(
          text("key 'rope_parameters.sliding_attention.rope_type' is '{}', expected default; scaling the "
               "local layers is not supported",
               type));
  return {make_rope(base, d_head, rope_scaling(in, scaling)), make_rope(local, d_head, {})};
}

void read_config(Loader& in, Config& c) {
  read_sizes(in, c, "gemma3", 256);
  c.ropes = read_ropes(in, c.d_head);
  const int64_t window = in.count({"gemma3.attention.sliding_window", "sliding_window"}, 1, 1 << 28);
  for (bool global : global_layers(in, c.n_layers))
    c.layers.push_back(global ? LayerConfig{0, 0} : LayerConfig{window, 1});

  // The query scale: config.json says it; GGUF may (attention.scale), else it is 1 / sqrt(d_head), but for
  // the 27B model (62 layers), where it is 1 / sqrt(d_model / n_heads).
  const double width = static_cast<double>(in.gguf() && c.n_layers == 62 ? c.d_model / c.n_heads
                                           : in.gguf()                   ? c.d_head
                                                                         : 256);
  const double scale = 1.0 / std::sqrt(in.number({"", "query_pre_attn_scalar"}, 1.0, 1e6, width));
  c.attn_scale = static_cast<float>(in.number({"gemma3.attention.scale", ""}, 1e-6, 1e6, scale));
  const auto cap = [&](const char* gguf, const char* hf) {
    return static_cast<float>(in.number({gguf, hf}, 0.0, 1e6, 0.0));
  };
  c.attn_soft_cap = cap("gemma3.attn_logit_softcapping", "attn_logit_softcapping");
  c.final_soft_cap = cap("gemma3.final_logit_softcapping", "final_logit_softcapping");
  c.embed_scale = static_cast<float>(std::sqrt(static_cast<double>(c.d_model)));
  c.activation = Activation::gelu_tanh;
  if (in.gguf()) return;
  for (const char* key : {"hidden_activation", "hidden_act"})
    if (const auto act = in.file().metadata.string(key); act && *act != "gelu_pytorch_tanh")
      in.fail(text("key '{}' is '{}', expected 'gelu_pytorch_tanh'", key, *act));
  refuse_if(in, "use_bidirectional_attention");
  refuse_if(in, "attention_bias");
}

}  // namespace

bool gemma3_recognises(const std::string& arch, bool gguf) {
  return arch == (gguf ? "gemma3" : "gemma3_text");
}

void gemma3_build(Loader& in, Config& c, Plan& p) {
  read_config(in, c);
  const float one = in.gguf() ? 0.0f : 1.0f;  // safetensors store w, GGUF 1 + w
  const Matrix& W_E = read_embedding(in, c, {"token_embd.weight", "model.embed_tokens.weight"});
  const Scope model{p, c};
  ValueId x = embed(model, W_E);  // [pos, d_model]
  for (int i = 0; i < c.n_layers; ++i)
    x = gated_block({p, c, i}, x, read_block(in, c, i, kNames, nullptr, one));
  const auto& ln_final =
      in.vector("ln_final.w", in.key({"output_norm.weight", "model.norm.weight"}), c.d_model, one);
  const Matrix& W_U = read_head(in, c, {"output.weight", "lm_head.weight"}, W_E, true);
  head(model, rms_norm(model, "ln_final", x, ln_final), W_U);
  in.finish(harmless_keys(
      in, {"cache_implementation", "layer_types", "sliding_window_pattern", "_sliding_window_pattern"}));
}

}  // namespace cutaway
