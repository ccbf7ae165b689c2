#include "arch/gated_block.h"

#include "core/error.h"

namespace cutaway {

Block read_block(Loader& in, const Config& c, int layer, const BlockNames& n, RowOrder qk_order,
                 float norm_offset) {
  Block b{};
  const std::string at = "blocks." + std::to_string(layer) + ".";
  const int64_t q_rows = c.n_heads * c.d_head, kv_rows = c.n_kv_heads * c.d_head;
  const auto matrix = [&](const char* name, const Spelling& tensor, int64_t rows, int64_t cols, Orientation o,
                          int64_t heads = 1, RowOrder order = nullptr) {
    return &in.matrix(at + name, in.layer_name(tensor, layer), rows, cols, o, heads, order);
  };
  const auto norm = [&](const char* name, const Spelling& tensor, int64_t size) -> const std::vector<float>* {
    return tensor.gguf ? &in.vector(at + name, in.layer_name(tensor, layer), size, norm_offset) : nullptr;
  };
  const auto bias = [&](const char* name, const Spelling& tensor, int64_t size, int64_t heads,
                        RowOrder order = nullptr) -> const std::vector<float>* {
    if (!tensor.gguf) return nullptr;
    const std::string stored = in.layer_name(tensor, layer);
    const bool promised = !in.gguf() && in.file().metadata.boolean("attention_bias").value_or(false);
    if (!promised && !in.has(stored)) return nullptr;  // a promised one that is missing raises
    if (!promised && !in.gguf())
      in.fail(text("key 'attention_bias' is false or missing, expected true: tensor '{}' is there", stored));
    return &in.vector(at + name, stored, size, 0.0f, heads, order);
  };
  b.ln1 = norm("ln1.w", n.ln1, c.d_model);
  b.attn.W_Q = matrix("attn.W_Q", n.W_Q, q_rows, c.d_model, Orientation::heads_in, c.n_heads, qk_order);
  b.attn.W_K = matrix("attn.W_K", n.W_K, kv_rows, c.d_model, Orientation::heads_in, c.n_kv_heads, qk_order);
  b.attn.W_V = matrix("attn.W_V", n.W_V, kv_rows, c.d_model, Orientation::heads_in, c.n_kv_heads);
  b.attn.b_Q = bias("attn.b_Q", n.b_Q, q_rows, c.n_heads, qk_order);
  b.attn.b_K = bias("attn.b_K", n.b_K, kv_rows, c.n_kv_heads, qk_order);
  b.attn.b_V = bias("attn.b_V", n.b_V, kv_rows, c.n_kv_heads);
  b.attn.q_norm = norm("attn.q_norm.w", n.q_norm, c.d_head);
  b.attn.k_norm = norm("attn.k_norm.w", n.k_norm, c.d_head);
  b.attn_out.W = matrix("attn.W_O", n.W_O, c.d_model, q_rows, Orientation::heads_out, c.n_heads);
  b.attn_out.bias = bias("attn.b_O", n.b_O, c.d_model, 1);
  b.attn_out.post = norm("ln1_post.w", n.ln1_post, c.d_model);
  b.ln2 = norm("ln2.w", n.ln2, c.d_model);
  b.W_gate = matrix("mlp.W_gate", n.W_gate, c.d_mlp, c.d_model, Orientation::transposed);
  b.W_in = matrix("mlp.W_in", n.W_in, c.d_mlp, c.d_model, Orientation::transposed);
  b.mlp_out.W = matrix("mlp.W_out", n.W_out, c.d_model, c.d_mlp, Orientation::transposed);
  b.mlp_out.post = norm("ln2_post.w", n.ln2_post, c.d_model);
  return b;
}

ValueId gated_block(const Scope& s, ValueId x, const Block& b) {
  x = alias(s, "resid_pre", x, s.layer ? "resid_post of the block before" : "embed");
  const ValueId rot_q = qkv_rope(s, rms_norm(s, "ln1", x, *b.ln1), b.attn);
  const ValueId z = attention(s, rot_q);
  x = linear_add(s, {"attn_out", "resid_mid", "W_O", "b_O", "ln1_post"}, z, b.attn_out, x);
  const ValueId post = gated_mlp(s, rms_norm(s, "ln2", x, *b.ln2), *b.W_gate, *b.W_in);
  return linear_add(s, {"mlp_out", "resid_post", "W_out", "b_out", "ln2_post"}, post, b.mlp_out, x);
}

const Matrix& read_embedding(Loader& in, Config& c, const Spelling& tensor) {
  const std::string name = in.key(tensor);
  const TensorInfo* table = in.file().find(name);
  if (!table || table->shape.size() != 2) in.fail(text("tensor '{}' [d_vocab, d_model] is missing", name));
  c.d_vocab = in.count({(c.arch + ".vocab_size").c_str(), "vocab_size"}, 1, 1 << 28, table->shape[0]);
  return in.matrix("embed.W_E", name, c.d_vocab, c.d_model, Orientation::plain);
}

const Matrix& read_head(Loader& in, Config& c, const Spelling& tensor, const Matrix& W_E,
                        bool tied_by_default) {
  const std::string name = in.key(tensor);
  c.tied_embeddings = !in.has(name);
  if (!in.gguf()) {
    const auto tie = in.file().metadata.boolean("tie_word_embeddings");
    if (tie.value_or(tied_by_default) != c.tied_embeddings)
      in.fail(text("key 'tie_word_embeddings' is {}, expected {}: tensor '{}' is {}",
                   !tie   ? tied_by_default ? "missing, which means true" : "missing, which means false"
                   : *tie ? "true"
                          : "false",
                   c.tied_embeddings ? "true" : "false", name, c.tied_embeddings ? "missing" : "there"));
  }
  if (!c.tied_embeddings) return in.head(name, c.d_vocab, c.d_model);
  // The embedding stays as it is stored: a few of its rows are read, and only the head all of it.
  if (in.requantises_head()) return in.head(in.tensor_of(W_E), c.d_vocab, c.d_model);
  in.name_again("unembed.W_U", W_E, Orientation::transposed);
  return W_E;
}

void read_sizes(Loader& in, Config& c, const std::string& arch, int64_t default_d_head) {
  const auto count = [&](const std::string& gguf, const char* hf, int64_t high,
                         std::optional<int64_t> otherwise = {}) {
    return in.count({(arch + gguf).c_str(), hf}, 1, high, otherwise);
  };
  c.arch = arch;
  c.n_layers = count(".block_count", "num_hidden_layers", static_cast<int64_t>(in.file().tensors.size()));
  c.d_model = count(".embedding_length", "hidden_size", 1 << 20);
  c.n_heads = count(".attention.head_count", "num_attention_heads", 4096);
  c.n_kv_heads = count(".attention.head_count_kv", "num_key_value_heads", c.n_heads, c.n_heads);
  if (c.n_heads % c.n_kv_heads)
    in.fail(text("{} query heads cannot share {} key-value heads evenly", c.n_heads, c.n_kv_heads));
  c.d_head = count(".attention.key_length", "head_dim", 4096,
                   default_d_head ? default_d_head : c.d_model / c.n_heads);
  if (c.d_head < 2 || c.d_head % 2)
    in.fail(text("the head dimension is {}; rotary embedding needs an even one", c.d_head));
  if (in.gguf()) {
    if (count(".attention.value_length", "", 4096, c.d_head) != c.d_head)
      in.fail(text("key '{}.attention.value_length' differs from the key length {}; that is not supported",
                   arch, c.d_head));
    if (count(".rope.dimension_count", "", 4096, c.d_head) != c.d_head)
      in.fail(text("key '{}.rope.dimension_count' differs from the head dimension {}; that is not supported",
                   arch, c.d_head));
  }
  refuse_partial_rotation(in, "");
  c.d_mlp = count(".feed_forward_length", "intermediate_size", 1 << 22);
  c.n_ctx = count(".context_length", "max_position_embeddings", 1 << 28);
  const std::string eps = arch + ".attention.layer_norm_rms_epsilon";
  c.eps = static_cast<float>(in.number({eps.c_str(), "rms_norm_eps"}, 0.0, 1.0));
}

double read_rope_base(const Loader& in, const Spelling& key, const char* newer, double otherwise) {
  const double base = in.number(key, 1.0, 1e12, otherwise);
  if (in.gguf()) return base;
  const double stated = in.number({"", newer}, 1.0, 1e12, base);
  if (stated != base && in.file().metadata.has(key.hf))
    in.fail(text("key '{}' is {}, expected {} as '{}' has it", newer, stated, base, key.hf));
  return stated;
}

void refuse_partial_rotation(const Loader& in, const std::string& at) {
  const std::string key = at + "partial_rotary_factor";
  if (in.gguf()) return;  // rope.dimension_count, see read_sizes
  const auto factor = in.file().metadata.number(key);
  if (factor && *factor != 1.0)
    in.fail(text("key '{}' is {}, expected 1; rotating a part of each head is not supported", key, *factor));
}

void refuse_if(const Loader& in, const char* key) {
  if (!in.gguf() && in.file().metadata.boolean(key).value_or(false))
    in.fail(text("key '{}' is true, expected false; that is not supported", key));
}

std::vector<std::string> harmless_keys(const Loader& in, std::vector<std::string> more) {
  if (in.gguf()) return {"general.", "tokenizer.", "quantize."};
  for (const char* key : {"architectures",
                          "model_type",
                          "torch_dtype",
                          "dtype",
                          "transformers_version",
                          "use_cache",
                          "attention_dropout",
                          "initializer_range",
                          "bos_token_id",
                          "eos_token_id",
                          "pad_token_id",
                          "_name_or_path",
                          "output_attentions",
                          "output_hidden_states",
                          "return_dict",
                          "chunk_size_feed_forward",
                          "is_encoder_decoder",
                          "id2label.",
                          "label2id.",
                          "problem_type",
                          "use_bfloat16",
                          "rope_scaling",
                          "rope_parameters"})
    more.push_back(key);
  return more;
}

}  // namespace cutaway
