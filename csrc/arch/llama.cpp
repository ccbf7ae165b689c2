// Llama (Touvron et al. 2023) and what shares its block: SmolLM2, TinyLlama, Llama 2 and 3.
//   x = x + W_O attention(rms_norm(x));   x = x + W_out (silu(W_gate h) * W_in h), h = rms_norm(x)
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
    .ln2 = {"blk.{}.ffn_norm.weight", "model.layers.{}.post_attention_layernorm.weight"},
    .W_gate = {"blk.{}.ffn_gate.weight", "model.layers.{}.mlp.gate_proj.weight"},
    .W_in = {"blk.{}.ffn_up.weight", "model.layers.{}.mlp.up_proj.weight"},
    .W_out = {"blk.{}.ffn_down.weight", "model.layers.{}.mlp.down_proj.weight"},
    .b_Q = {"blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias"},
    .b_K = {"blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias"},
    .b_V = {"blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias"},
    .b_O = {"blk.{}.attn_output.bias", "model.layers.{}.self_attn.o_proj.bias"},
};

// GGUF files of this family store the rows of W_Q and W_K so that rotated pairs are neighbours (2 i, 2 i +
// 1). We put them back into the order of the original weights, pairs (i, i + d_head / 2), so that attn.q and
// W_Q are what TransformerLens and Hugging Face show, whatever the container.
int64_t rope_pairs(int64_t row, int64_t d_head) {
  const int64_t head = row / d_head, i = row % d_head, half = d_head / 2;
  return head * d_head + (i < half ? 2 * i : 2 * (i - half) + 1);
}

void read_config(Loader& in, Config& c) {
  read_sizes(in, c, "llama", 0);
  const double base =
      read_rope_base(in, {"llama.rope.freq_base", "rope_theta"}, "rope_parameters.rope_theta", 10000.0);
  refuse_partial_rotation(in, "rope_parameters.");
  c.ropes = {make_rope(base, c.d_head,
                       rope_scaling(in, in.gguf()                         ? "llama.rope.scaling."
                                        : in.has_keys("rope_parameters.") ? "rope_parameters."
                                                                          : "rope_scaling."))};
  if (in.gguf() && in.has("rope_freqs.weight")) {  // Llama 3's factors, stored by the converter
    const auto& factors = in.vector("rope.factors", "rope_freqs.weight", c.d_head / 2);
    for (int64_t i = 0; i < c.d_head / 2; ++i) {
      if (!(factors[i] >= 1e-3f && factors[i] <= 1e6f))
        in.fail(text("tensor 'rope_freqs.weight' has {} at {}, expected a factor from 0.001 to 1000000",
                     factors[i], i));
      c.ropes[0].inv_freq[i] /= factors[i];
    }
    c.ropes[0].scaling = "factors";
  }
  refuse_if(in, "mlp_bias");
  refuse_if(in, "rope_interleaved");
  c.attn_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.d_head)));
  c.activation = Activation::silu;
  c.layers.assign(c.n_layers, {});
  if (const auto act = in.gguf() ? std::nullopt : in.file().metadata.string("hidden_act");
      act && *act != "silu")
    in.fail(text("key 'hidden_act' is '{}', expected 'silu'", *act));
}

}  // namespace

bool llama_recognises(const std::string& arch, bool) { return arch == "llama"; }

void llama_build(Loader& in, Config& c, Plan& p) {
  read_config(in, c);
  const Matrix& W_E = read_embedding(in, c, {"token_embd.weight", "model.embed_tokens.weight"});
  const Scope model{p, c};
  ValueId x = embed(model, W_E);  // [pos, d_model]
  for (int i = 0; i < c.n_layers; ++i)
    x = gated_block({p, c, i}, x, read_block(in, c, i, kNames, in.gguf() ? rope_pairs : nullptr, 0.0f));
  const auto& ln_final =
      in.vector("ln_final.w", in.key({"output_norm.weight", "model.norm.weight"}), c.d_model);
  const Matrix& W_U = read_head(in, c, {"output.weight", "lm_head.weight"}, W_E, false);
  head(model, rms_norm(model, "ln_final", x, ln_final), W_U);
  in.finish(harmless_keys(in, {"pretraining_tp", "is_llama_config", "transformers.js_config."}));
}

}  // namespace cutaway
