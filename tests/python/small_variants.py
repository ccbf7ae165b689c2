"""The random models that forward_small.npz holds transformers' logits of: name -> (family, weight type, sizes)."""

import numpy as np

SEED = 11
IDS = (np.arange(24) * 67 % 273).astype(np.int32)  # three windows long

VARIANTS = {
    "llama": ("llama", "F32", {}),
    "llama_tied": ("llama", "F32", {"tied": True, "n_kv_heads": 6}),
    "llama_one_key_head": ("llama", "BF16", {"n_kv_heads": 1, "d_head": 22}),
    "llama_linear_rope": ("llama", "F32", {"rope_linear_factor": 4.0}),
    "llama3_rope": ("llama", "F32", {"llama3": True}),
    "llama_bias": ("llama", "F32", {"attention_bias": True}),
    "llama_q4_k": ("llama", "Q4_K", {}),
    "gemma3": ("gemma3", "F32", {}),
    "gemma3_untied": ("gemma3", "F16", {"tied": False, "n_kv_heads": 2}),
    "gemma3_linear_rope": ("gemma3", "F32", {"rope_linear_factor": 8.0}),
    "gemma3_soft_cap": ("gemma3", "F32", {"final_logit_softcapping": 2.0}),
    "gemma3_pattern": ("gemma3", "Q8_0", {"n_layers": 4, "window_pattern": 3, "sliding_window": 5}),
}
