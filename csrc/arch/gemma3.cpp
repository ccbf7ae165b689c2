// Gemma 3 (Gemma Team 2025), text: sandwich norms, q/k norms, five sliding-window layers for each global one, each kind
// with its own rotary base, embeddings scaled by sqrt(d_model), GELU.
//   x = x + norm(W_O attention(norm(x)));   x = x + norm(W_out (gelu(W_gate h) * W_in h)), h = norm(x)
#include <cmath>

#include "core/error.h"
#include "model/loader.h"
#include "ops/ops.h"

namespace cutaway {
namespace {

// Layer i attends globally when it is the last of each run of `period`; config.json may list the layers instead.
std::vector<bool> global_layers(Loader& in, int64_t n_layers) {
  std::vector<bool> global(n_layers);
  const auto* types = in.gguf() ? nullptr : in.file().metadata.strings("layer_types");
  if (types) {
    if (static_cast<int64_t>(types->size()) != n_layers)
      in.fail(text("key 'layer_types' lists {} layers, expected {}", types->size(), n_layers));
    for (int64_t i = 0; i < n_layers; ++i) {
      global[i] = (*types)[i] == "full_attention";
      if (!global[i] && (*types)[i] != "sliding_attention")
        in.fail(text("key 'layer_types' has '{}', expected full_attention or sliding_attention", (*types)[i]));
    }
    return global;
  }
  int64_t period = in.count({"gemma3.attention.sliding_window_pattern", "sliding_window_pattern"}, 1, 1024, 6);
  if (!in.gguf()) period = in.count({"", "_sliding_window_pattern"}, 1, 1024, period);
  for (int64_t i = 0; i < n_layers; ++i) global[i] = i % period == period - 1;
  return global;
}

void read_config(Loader& in, Config& c) {
  const int64_t n_tensors = static_cast<int64_t>(in.file().tensors.size());
  c.arch = "gemma3";
  c.n_layers = in.count({"gemma3.block_count", "num_hidden_layers"}, 1, n_tensors);
  c.d_model = in.count({"gemma3.embedding_length", "hidden_size"}, 1, 1 << 20);
  c.n_heads = in.count({"gemma3.attention.head_count", "num_attention_heads"}, 1, 4096);
  c.n_kv_heads = in.count({"gemma3.attention.head_count_kv", "num_key_value_heads"}, 1, c.n_heads, c.n_heads);
  if (c.n_heads % c.n_kv_heads)
    in.fail(text("{} query heads cannot share {} key-value heads evenly", c.n_heads, c.n_kv_heads));
  c.d_head = in.count({"gemma3.attention.key_length", "head_dim"}, 2, 4096, 256);
  if (in.count({"gemma3.attention.value_length", ""}, 2, 4096, c.d_head) != c.d_head)
    in.fail("key 'gemma3.attention.value_length' differs from the key length; that is not supported");
  if (c.d_head % 2) in.fail(text("the head dimension {} is odd; rotary embedding needs pairs", c.d_head));
  c.d_mlp = in.count({"gemma3.feed_forward_length", "intermediate_size"}, 1, 1 << 22);
  c.n_ctx = in.count({"gemma3.context_length", "max_position_embeddings"}, 1, 1 << 28);
  c.eps = static_cast<float>(in.number({"gemma3.attention.layer_norm_rms_epsilon", "rms_norm_eps"}, 0.0, 1.0));
  const auto& m = in.file().metadata;

  // Rope 0: global layers, with the file's scaling; rope 1: sliding-window layers, never scaled.
  double base = in.number({"gemma3.rope.freq_base", "rope_theta"}, 1.0, 1e12, 1e6);
  double local = in.number({"gemma3.rope.freq_base_swa", "rope_local_base_freq"}, 1.0, 1e12, 10000.0);
  if (!in.gguf()) {
    base = in.number({"", "rope_parameters.full_attention.rope_theta"}, 1.0, 1e12, base);
    local = in.number({"", "rope_parameters.sliding_attention.rope_theta"}, 1.0, 1e12, local);
    for (const char* kind : {"full_attention", "sliding_attention"})
      if (const auto type = m.string(std::string("rope_parameters.") + kind + ".rope_type"); type && *type != "default")
        in.fail(text("key 'rope_parameters.{}.rope_type' is '{}', expected default", kind, *type));
  }
  c.ropes = {make_rope(base, c.d_head, rope_scaling(in, "gemma3")), make_rope(local, c.d_head, {})};
  const int64_t window = in.count({"gemma3.attention.sliding_window", "sliding_window"}, 1, 1 << 28);
  const std::vector<bool> global = global_layers(in, c.n_layers);
  for (int64_t i = 0; i < c.n_layers; ++i) c.layers.push_back(global[i] ? LayerConfig{0, 0} : LayerConfig{window, 1});

  // GGUF has no key for the query scale. It is 1 / sqrt(d_head) but for the 27B model (62 layers), where it is
  // 1 / sqrt(d_model / n_heads).
  const double gguf_scalar = c.n_layers == 62 ? static_cast<double>(c.d_model / c.n_heads) : static_cast<double>(c.d_head);
  c.attn_scale = static_cast<float>(
      1.0 / std::sqrt(in.number({"", "query_pre_attn_scalar"}, 1.0, 1e6, in.gguf() ? gguf_scalar : 256.0)));
  c.attn_soft_cap = static_cast<float>(in.number({"gemma3.attn_logit_softcapping", "attn_logit_softcapping"}, 0.0, 1e6, 0.0));
  c.final_soft_cap = static_cast<float>(in.number({"gemma3.final_logit_softcapping", "final_logit_softcapping"}, 0.0, 1e6, 0.0));
  c.embed_scale = static_cast<float>(std::sqrt(static_cast<double>(c.d_model)));
  c.activation = Activation::gelu_tanh;
  if (!in.gguf())
    for (const char* key : {"hidden_activation", "hidden_act"})
      if (const auto act = m.string(key); act && *act != "gelu_pytorch_tanh")
        in.fail(text("key '{}' is '{}', expected 'gelu_pytorch_tanh'", key, *act));
}

}  // namespace

bool gemma3_recognises(const std::string& arch, bool gguf) { return arch == (gguf ? "gemma3" : "gemma3_text"); }

void gemma3_build(Loader& in, Config& c, Plan& p) {
  read_config(in, c);
  const float one = in.gguf() ? 0.0f : 1.0f;   // config.json models store w, GGUF 1 + w
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
    const auto& ln1 = in.vector(at + "ln1.w", name("blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"), c.d_model, one);
    AttentionWeights w{};
    w.W_Q = &in.matrix(at + "attn.W_Q", name("blk.{}.attn_q.weight", "model.layers.{}.self_attn.q_proj.weight"), q_rows, c.d_model, Orientation::heads_in, c.n_heads);
    w.W_K = &in.matrix(at + "attn.W_K", name("blk.{}.attn_k.weight", "model.layers.{}.self_attn.k_proj.weight"), kv_rows, c.d_model, Orientation::heads_in, c.n_kv_heads);
    w.W_V = &in.matrix(at + "attn.W_V", name("blk.{}.attn_v.weight", "model.layers.{}.self_attn.v_proj.weight"), kv_rows, c.d_model, Orientation::heads_in, c.n_kv_heads);
    w.q_norm = &in.vector(at + "attn.q_norm.w", name("blk.{}.attn_q_norm.weight", "model.layers.{}.self_attn.q_norm.weight"), c.d_head, one);
    w.k_norm = &in.vector(at + "attn.k_norm.w", name("blk.{}.attn_k_norm.weight", "model.layers.{}.self_attn.k_norm.weight"), c.d_head, one);
    const Matrix& W_O = in.matrix(at + "attn.W_O", name("blk.{}.attn_output.weight", "model.layers.{}.self_attn.o_proj.weight"), c.d_model, q_rows, Orientation::heads_out, c.n_heads);
    const auto& ln1_post = in.vector(at + "ln1_post.w", name("blk.{}.post_attention_norm.weight", "model.layers.{}.post_attention_layernorm.weight"), c.d_model, one);
    const auto& ln2 = in.vector(at + "ln2.w", name("blk.{}.ffn_norm.weight", "model.layers.{}.pre_feedforward_layernorm.weight"), c.d_model, one);
    const Matrix& W_gate = in.matrix(at + "mlp.W_gate", name("blk.{}.ffn_gate.weight", "model.layers.{}.mlp.gate_proj.weight"), c.d_mlp, c.d_model, Orientation::transposed);
    const Matrix& W_in = in.matrix(at + "mlp.W_in", name("blk.{}.ffn_up.weight", "model.layers.{}.mlp.up_proj.weight"), c.d_mlp, c.d_model, Orientation::transposed);
    const Matrix& W_out = in.matrix(at + "mlp.W_out", name("blk.{}.ffn_down.weight", "model.layers.{}.mlp.down_proj.weight"), c.d_model, c.d_mlp, Orientation::transposed);
    const auto& ln2_post = in.vector(at + "ln2_post.w", name("blk.{}.post_ffw_norm.weight", "model.layers.{}.post_feedforward_layernorm.weight"), c.d_model, one);

    x = alias(p, i, at + "resid_pre", x, i ? "resid_post of the block before" : "embed");
    const Qkv qkv = qkv_rope(p, c, i, rms_norm(p, i, at + "ln1", x, ln1, c.eps), w);
    const ValueId z = attention(p, c, i, qkv);
    x = linear_add(p, c, i, "attn_out", "resid_mid", plain(p, z), W_O, nullptr, x, &ln1_post, "ln1_post");
    const ValueId post = gated_mlp(p, c, i, rms_norm(p, i, at + "ln2", x, ln2, c.eps), W_gate, W_in);
    x = linear_add(p, c, i, "mlp_out", "resid_post", plain(p, post), W_out, nullptr, x, &ln2_post, "ln2_post");
  }
  const auto& ln_final = in.vector("ln_final.w", in.key({"output_norm.weight", "model.norm.weight"}), c.d_model, one);
  const std::string head_tensor = in.key({"output.weight", "lm_head.weight"});
  c.tied_embeddings = !in.has(head_tensor);
  if (c.tied_embeddings) in.name_again("unembed.W_U", W_E, Orientation::transposed);
  const Matrix& W_U = c.tied_embeddings ? W_E : in.matrix("unembed.W_U", head_tensor, c.d_vocab, c.d_model, Orientation::transposed);
  head(p, c, rms_norm(p, -1, "ln_final", x, ln_final, c.eps), W_U);

  if (in.gguf())
    in.finish({"general.", "tokenizer.", "quantize."});
  else
    in.finish({"architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "use_cache",
               "attention_dropout", "initializer_range", "bos_token_id", "eos_token_id", "pad_token_id",
               "tie_word_embeddings", "attention_bias", "_name_or_path", "cache_implementation", "layer_types",
               "use_bidirectional_attention", "output_attentions", "output_hidden_states", "return_dict",
               "chunk_size_feed_forward", "is_encoder_decoder", "id2label", "label2id", "problem_type", "use_bfloat16",
               "rope_scaling", "rope_parameters", "max_window_layers"});
}

}  // namespace cutaway
