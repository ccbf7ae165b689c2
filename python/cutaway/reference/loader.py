"""From a GGUF file of a family here to a Config and weights in TransformerLens's names and shapes."""

import os
from typing import Any

import numpy as np

from . import gemma3, llama
from .blocks import decode
from .config import Config
from .gguf_file import Tensor, read
from .taps import Edits, Weights

FAMILIES = {"llama": llama, "gemma3": gemma3}

# one block's tensors: GGUF name -> our name
BLOCK = {
    "attn_norm": "ln1.w",
    "ffn_norm": "ln2.w",
    "post_attention_norm": "ln1_post.w",
    "post_ffw_norm": "ln2_post.w",
    "attn_q_norm": "attn.q_norm.w",
    "attn_k_norm": "attn.k_norm.w",
    "attn_q": "attn.W_Q",
    "attn_k": "attn.W_K",
    "attn_v": "attn.W_V",
    "attn_output": "attn.W_O",
    "ffn_gate": "mlp.W_gate",
    "ffn_up": "mlp.W_in",
    "ffn_down": "mlp.W_out",
}
BIAS = {"attn_q": "attn.b_Q", "attn_k": "attn.b_K", "attn_v": "attn.b_V", "attn_output": "attn.b_O"}


def config_of(metadata: dict[str, Any], tensors: dict[str, Tensor]) -> Config:
    """The Config that a file's metadata describes."""
    arch = metadata["general.architecture"]
    if arch not in FAMILIES:
        raise ValueError(f"general.architecture is {arch!r}; the reference knows {', '.join(FAMILIES)}")

    def get(key: str, default: Any = None) -> Any:
        return metadata.get(f"{arch}.{key}", default)

    d_model, n_heads = get("embedding_length"), get("attention.head_count")
    d_head = get("attention.key_length", d_model // n_heads)
    return Config(
        arch=arch,
        n_layers=get("block_count"),
        d_model=d_model,
        n_heads=n_heads,
        n_kv_heads=get("attention.head_count_kv", n_heads),
        d_head=d_head,
        d_mlp=get("feed_forward_length"),
        d_vocab=tensors["token_embd.weight"].shape[0],
        n_ctx=get("context_length"),
        eps=get("attention.layer_norm_rms_epsilon"),
        attn_scale=get("attention.scale", d_head**-0.5),
        n_rot=get("rope.dimension_count", d_head),
        rope_linear_factor=get("rope.scaling.factor", 1.0) if get("rope.scaling.type") == "linear" else 1.0,
        attn_soft_cap=get("attn_logit_softcapping"),
        final_soft_cap=get("final_logit_softcapping"),
        tied="output.weight" not in tensors,
        **FAMILIES[arch].own_config(get),
    )


def halves_from_pairs(w: np.ndarray, n_rot: int) -> np.ndarray:
    """[head, d_head, d_model], rows of each head reordered so that a rotated pair 2i, 2i + 1 becomes i, i + n_rot / 2.

    Llama files are written for rotation of adjacent pairs; everything here is in Hugging Face's order.
    """
    rotated = w[:, :n_rot].reshape(len(w), n_rot // 2, 2, -1).swapaxes(1, 2).reshape(len(w), n_rot, -1)
    return np.concatenate([rotated, w[:, n_rot:]], axis=1)


def orient(name: str, w: np.ndarray, config: Config) -> np.ndarray:
    """A stored matrix [out, in], or a bias [out], in the shape that TransformerLens gives the weight of this name."""
    kind = name.split(".")[-1]
    if kind in ("b_Q", "b_K", "b_V"):  # a column in its matrix's order
        return orient(name.replace(".b_", ".W_"), np.repeat(w[:, None], config.d_model, 1), config)[:, 0]
    if kind in ("W_Q", "W_K", "W_V"):
        w = w.reshape(-1, config.d_head, config.d_model)
        if FAMILIES[config.arch].PAIRED_ROWS and kind != "W_V":
            w = halves_from_pairs(w, config.n_rot or config.d_head)
        return w.transpose(0, 2, 1)  # [head, d_model, d_head]
    if kind == "W_O":
        return w.reshape(config.d_model, config.n_heads, config.d_head).transpose(1, 2, 0)  # [n_heads, d_head, d_model]
    return w.T if kind in ("W_gate", "W_in", "W_out") else w


def build(metadata: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[Config, dict[str, np.ndarray]]:
    """Config and float32 weights from what a GGUF file holds. Gemma files store the norm weights in force, 1 + w."""
    config = config_of(metadata, tensors)
    stored = {name: decode(t.raw, t.type).reshape(t.shape) for name, t in tensors.items()}
    weights = {"embed.W_E": stored.pop("token_embd.weight"), "ln_final.w": stored.pop("output_norm.weight")}
    weights["unembed.W_U"] = stored.pop("output.weight", weights["embed.W_E"]).T
    if "rope_freqs.weight" in stored:
        weights["rope_factors"] = stored.pop("rope_freqs.weight")
    for name, w in stored.items():
        _, layer, gguf_name, kind = name.split(".")  # blk.3.attn_q.weight
        ours = f"blocks.{layer}.{(BIAS if kind == 'bias' else BLOCK)[gguf_name]}"
        weights[ours] = orient(ours, w, config)
    return config, weights


def load(path: str | os.PathLike[str]) -> tuple[Config, dict[str, np.ndarray]]:
    """Config and weights of a GGUF file; forward(config, weights, ids) runs it."""
    return build(*read(path))


def forward(config: Config, weights: Weights, ids: np.ndarray, edits: Edits | None = None) -> dict[str, np.ndarray]:
    """Runs the model of the config's family: every activation by name."""
    return FAMILIES[config.arch].forward(config, weights, np.asarray(ids), edits)
