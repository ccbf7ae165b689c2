// Llama (Touvron et al. 2023) and what shares its block: SmolLM2, TinyLlama, Llama 2 and 3.
//   x = x + W_O attention(rms_norm(x));   x = x + W_out (silu(W_gate h) * W_in h), h = rms_norm(x)
#include <cmath>

#include "core/error.h"
#include "model/loader.h"
#include "ops/ops.h"

namespace cutaway {
namespace {

// GGUF files of this family store the rows of W_Q and W_K so that rotated pairs are neighbours (2 i, 2 i + 1). We put
// them back into the order of the original weights, pairs (i, i + d_head / 2), so that attn.q and W_Q are what
// TransformerLens and Hugging Face show, whatever the container.
int64_t rope_pairs(int64_t row, int64_t d_head) {
  const int64_t head = row / d_head, i = row % d_head, half = d_head / 2;
  return head * d_head + (i < half ? 2 * i : 2 * (i - half) + 1);
}

void read_config(Loader& in, Config& c) {
  const int64_t n_tensors = static_cast<int64_t>(in.file().tensors.size());
  c.arch = "llama";
  c.n_layers = in.count({"llama.block_count", "num_hidden_layers"}, 1, n_tensors);
  c.d_model = in.count({"llama.embedding_length", "hidden_size"}, 1, 1 << 20);
  c.n_heads = in.count({"llama.attention.head_count", "num_attention_heads"}, 1, 4096);
  c.n_kv_heads = in.count({"llama.attention.head_count_kv", "num_key_value_heads"}, 1, c.n_heads, c.n_heads);
  if (c.n_heads % c.n_kv_heads)
    in.fail(text("{} query heads cannot share {} key-value heads evenly", c.n_heads, c.n_kv_heads));
  c.d_head = in.count({"llama.attention.key_length", "head_dim"}, 2, 4096, c.d_model / c.n_heads);
  if (in.count({"llama.attention.value_length", ""}, 2, 4096, c.d_head) != c.d_head)
    in.fail("key 'llama.attention.value_length' differs from the key length; that is not supported");
  c.d_mlp = in.count({"llama.feed_forward_length", "intermediate_size"}, 1, 1 << 22);
  c.n_ctx = in.count({"llama.context_length", "max_position_embeddings"}, 1, 1 << 28);
  c.eps = static_cast<float>(in.number({"llama.attention.layer_norm_rms_epsilon", "rms_norm_eps"}, 0.0, 1.0));
  const int64_t d_rot = in.count({"llama.rope.dimension_count", ""}, 2, c.d_head, c.d_head);
  if (c.d_head % 2 || d_rot % 2) in.fail(text("the head dimension {} is odd; rotary embedding needs pairs", c.d_head));
  if (in.gguf() && d_rot != c.d_head)
    in.fail(text("key 'llama.rope.dimension_count' is {}, expected the head dimension {}", d_rot, c.d_head));
  double base = in.number({"llama.rope.freq_base", "rope_theta"}, 1.0, 1e12, 10000.0);
  if (!in.gguf()) base = in.number({"", "rope_parameters.rope_theta"}, 1.0, 1e12, base);
  c.ropes = {make_rope(base, d_rot, rope_scaling(in, "llama"))};
  if (in.gguf() && in.has("rope_freqs.weight")) {   // Llama 3's factors, stored by the converter
    const auto& factors = in.vector("rope.factors", "rope_freqs.weight", d_rot / 2);
    for (int64_t i = 0; i < d_rot / 2; ++i) c.ropes[0].inv_freq[i] /= factors[i];
    c.ropes[0].scaling = "factors";
  }
  c.attn_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.d_head)));
  c.activation = Activation::silu;
  c.layers.assign(c.n_layers, {});
  if (!in.gguf()) {
    if (const auto act = in.file().metadata.string("hidden_act"); act && *act != "silu")
      in.fail(text("key 'hidden_act' is '{}', expected 'silu'", *act));
  }
}

}  // namespace

bool llama_recognises(const std::string& arch, bool) { return arch == "llama"; }

void llama_build(Loader& in, Config& c, Plan& p) {
  read_config(in, c);
  const auto order = in.gguf() ? rope_pairs : nullptr;
  const std::string embedding = in.key({"token_embd.weight", "model.embed_tokens.weight"});
  const TensorInfo* table = in.file().find(embedding);
  if (!table || table->shape.size() != 2) in.fail(text("tensor '{}' [d_vocab, d_model] is missing", embedding));
  c.d_vocab = in.count({"", "vocab_size"}, 1, 1 << 28, table->shape[0]);
  const Matrix& W_E = in.matrix("embed.W_E", embedding, c.d_vocab, c.d_model, Orientation::plain);

  ValueId x = embed(p, c, W_E);
  for (int i = 0; i < c.n_layers; ++i) {
    const std::string at = "blocks." + std::to_string(i) + ".";
    const auto name = [&](const char* gguf, const char* hf) { return in.layer_name({gguf, hf}, i); };
    const int64_t q_rows = c.n_heads * c.d_head, kv_rows = c.n_kv_heads * c.d_head;
    const auto& ln1 = in.vector(at + "ln1.w", name("blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"), c.d_model);
    AttentionWeights w{};
    w.W_Q = &in.matrix(at + "attn.W_Q", name("blk.{}.attn_q.weight", "model.layers.{}.self_attn.q_proj.weight"), q_rows, c.d_model, Orientation::heads_in, c.n_heads, order);
    w.W_K = &in.matrix(at + "attn.W_K", name("blk.{}.attn_k.weight", "model.layers.{}.self_attn.k_proj.weight"), kv_rows, c.d_model, Orientation::heads_in, c.n_kv_heads, order);
    w.W_V = &in.matrix(at + "attn.W_V", name("blk.{}.attn_v.weight", "model.layers.{}.self_attn.v_proj.weight"), kv_rows, c.d_model, Orientation::heads_in, c.n_kv_heads);
    const auto bias = [&](const char* ours, const char* gguf, const char* hf, int64_t n, int64_t heads, auto rows) {
      const std::string tensor = name(gguf, hf);
      return in.has(tensor) ? &in.vector(at + ours, tensor, n, 0.0f, heads, rows) : nullptr;
    };
    w.b_Q = bias("attn.b_Q", "blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias", q_rows, c.n_heads, order);
    w.b_K = bias("attn.b_K", "blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias", kv_rows, c.n_kv_heads, order);
    w.b_V = bias("attn.b_V", "blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias", kv_rows, c.n_kv_heads, decltype(order){nullptr});
    const auto* b_O = bias("attn.b_O", "blk.{}.attn_output.bias", "model.layers.{}.self_attn.o_proj.bias", c.d_model, 1, decltype(order){nullptr});
    const Matrix& W_O = in.matrix(at + "attn.W_O", name("blk.{}.attn_output.weight", "model.layers.{}.self_attn.o_proj.weight"), c.d_model, q_rows, Orientation::heads_out, c.n_heads);
    const auto& ln2 = in.vector(at + "ln2.w", name("blk.{}.ffn_norm.weight", "model.layers.{}.post_attention_layernorm.weight"), c.d_model);
    const Matrix& W_gate = in.matrix(at + "mlp.W_gate", name("blk.{}.ffn_gate.weight", "model.layers.{}.mlp.gate_proj.weight"), c.d_mlp, c.d_model, Orientation::transposed);
    const Matrix& W_in = in.matrix(at + "mlp.W_in", name("blk.{}.ffn_up.weight", "model.layers.{}.mlp.up_proj.weight"), c.d_mlp, c.d_model, Orientation::transposed);
    const Matrix& W_out = in.matrix(at + "mlp.W_out", name("blk.{}.ffn_down.weight", "model.layers.{}.mlp.down_proj.weight"), c.d_model, c.d_mlp, Orientation::transposed);

    x = alias(p, i, at + "resid_pre", x, i ? "resid_post of the block before" : "embed");
    const Qkv qkv = qkv_rope(p, c, i, rms_norm(p, i, at + "ln1", x, ln1, c.eps), w);
    const ValueId z = attention(p, c, i, qkv);
    x = linear_add(p, c, i, "attn_out", "resid_mid", plain(p, z), W_O, b_O, x, nullptr, "");
    const ValueId post = gated_mlp(p, c, i, rms_norm(p, i, at + "ln2", x, ln2, c.eps), W_gate, W_in);
    x = linear_add(p, c, i, "mlp_out", "resid_post", plain(p, post), W_out, nullptr, x, nullptr, "");
  }
  const auto& ln_final = in.vector("ln_final.w", in.key({"output_norm.weight", "model.norm.weight"}), c.d_model);
  const std::string head_tensor = in.key({"output.weight", "lm_head.weight"});
  c.tied_embeddings = !in.has(head_tensor);
  if (c.tied_embeddings) in.name_again("unembed.W_U", W_E, Orientation::transposed);
  const Matrix& W_U = c.tied_embeddings ? W_E : in.matrix("unembed.W_U", head_tensor, c.d_vocab, c.d_model, Orientation::transposed);
  head(p, c, rms_norm(p, -1, "ln_final", x, ln_final, c.eps), W_U);

  if (in.gguf()) {
    in.count({"llama.vocab_size", ""}, 1, 1 << 28, c.d_vocab);
    in.finish({"general.", "tokenizer.", "quantize."});
  } else {
    in.finish({"architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "use_cache",
               "attention_dropout", "initializer_range", "pretraining_tp", "bos_token_id", "eos_token_id",
               "pad_token_id", "tie_word_embeddings", "attention_bias", "mlp_bias", "_name_or_path", "is_llama_config",
               "rope_interleaved", "transformers.js_config", "output_attentions", "output_hidden_states",
               "return_dict", "chunk_size_feed_forward", "is_encoder_decoder", "id2label", "label2id",
               "problem_type", "use_bfloat16", "rope_scaling", "rope_parameters"});
  }
}

}  // namespace cutaway
