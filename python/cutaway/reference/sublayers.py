"""The pieces that the transformer families share: a norm, the attention and the MLP of one block, all named."""

import numpy as np

from .attention import attention_scores, attention_values
from .config import Config
from .linear import linear
from .mlp import gate
from .norms import rms_norm, rms_scale
from .rope import cos_sin, inverse_frequencies, rotate
from .softmax import softmax
from .taps import Taps, Weights


def norm(x: np.ndarray, w: Weights, name: str, config: Config, taps: Taps) -> np.ndarray:
    """x [pos, d_model] -> [pos, d_model]; names {name}.scale [pos, 1] and {name}.normalized (after the weight)."""
    scale = taps(f"{name}.scale", rms_scale(x, config.eps))
    return taps(f"{name}.normalized", x / scale * w[f"{name}.w"])


def heads(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """x [pos, d_model], W_Q (or W_K, W_V) [head, d_model, d_head], b_Q [head, d_head] -> [pos, head, d_head]"""
    n_heads, d_model, d_head = w.shape
    out = linear(x, w.transpose(1, 0, 2).reshape(d_model, n_heads * d_head)).reshape(len(x), n_heads, d_head)
    return out if bias is None else out + bias


def rotary(config: Config, layer: int, n_pos: int, w: Weights) -> tuple[np.ndarray, np.ndarray]:
    """cos, sin [pos, n_rot / 2] of one layer: local layers have their own base and no scaling."""
    n_rot = config.n_rot or config.d_head
    if config.is_local(layer) and config.rope_base_local is not None:
        inv_freq = inverse_frequencies(n_rot, config.rope_base_local)
    else:
        inv_freq = inverse_frequencies(n_rot, config.rope_base, config.rope_linear_factor)
        if "rope_factors" in w:  # per frequency, from the file (Llama 3.1)
            inv_freq = inv_freq / w["rope_factors"]
    return cos_sin(np.arange(n_pos), inv_freq)


def self_attention(x: np.ndarray, w: Weights, layer: int, config: Config, taps: Taps) -> np.ndarray:
    """x = ln1.normalized [pos, d_model] -> [pos, d_model], to be added to the residual."""
    p = f"blocks.{layer}.attn"
    q, k, v = (heads(x, w[f"{p}.W_{c}"], w.get(f"{p}.b_{c}")) for c in "QKV")
    if f"{p}.q_norm.w" in w:
        q = rms_norm(q, w[f"{p}.q_norm.w"], config.eps)  # per head, over d_head
        k = rms_norm(k, w[f"{p}.k_norm.w"], config.eps)
    q = taps(f"{p}.q", q)  # [pos, n_heads, d_head]
    k = taps(f"{p}.k", k)  # [pos, n_kv_heads, d_head]
    v = taps(f"{p}.v", v)
    cos, sin = rotary(config, layer, len(x), w)
    q = taps(f"{p}.rot_q", rotate(q, cos, sin))
    k = taps(f"{p}.rot_k", rotate(k, cos, sin))
    window = config.sliding_window if config.is_local(layer) else None
    scores = taps(f"{p}.scores", attention_scores(q, k, config.attn_scale, window, config.attn_soft_cap))
    pattern = taps(f"{p}.pattern", softmax(scores))  # [n_heads, query_pos, key_pos]
    z = taps(f"{p}.z", attention_values(pattern, v))  # [pos, n_heads, d_head]
    w_o = w[f"{p}.W_O"]  # [n_heads, d_head, d_model]
    out = linear(z.reshape(len(z), -1), w_o.reshape(-1, w_o.shape[-1]))
    return out + w[f"{p}.b_O"] if f"{p}.b_O" in w else out


def gated_mlp(x: np.ndarray, w: Weights, layer: int, config: Config, taps: Taps) -> np.ndarray:
    """x = ln2.normalized [pos, d_model] -> [pos, d_model], to be added to the residual."""
    p = f"blocks.{layer}.mlp"
    pre = taps(f"{p}.pre", linear(x, w[f"{p}.W_gate"]))  # [pos, d_mlp]
    pre_linear = taps(f"{p}.pre_linear", linear(x, w[f"{p}.W_in"]))
    post = taps(f"{p}.post", gate(pre, pre_linear, config.activation))
    return linear(post, w[f"{p}.W_out"])


def attention_result(values: dict[str, np.ndarray], w: Weights, layer: int) -> np.ndarray:
    """attn.result [pos, n_heads, d_model]: what each head adds, derived from z on demand (it is large)."""
    p = f"blocks.{layer}.attn"
    return np.matmul(values[f"{p}.z"].transpose(1, 0, 2), w[f"{p}.W_O"]).transpose(1, 0, 2)
