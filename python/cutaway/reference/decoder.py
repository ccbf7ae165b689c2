"""A decoder-only transformer, whole: embedding, blocks of attention and gated MLP, final norm, unembedding.

Biases, norms on q and k, and norms after a sublayer (the "sandwich" of Gemma) are there where the weights hold them.
"""

import numpy as np

from .config import Config
from .embed import embed, unembed
from .sublayers import gated_mlp, norm, self_attention
from .taps import Edits, Taps, Weights


def block(x: np.ndarray, w: Weights, i: int, config: Config, taps: Taps) -> np.ndarray:
    """The residual stream [pos, d_model] before and after block i."""
    p = f"blocks.{i}"
    x = taps(f"{p}.resid_pre", x)
    attn = self_attention(norm(x, w, f"{p}.ln1", config, taps), w, i, config, taps)
    if f"{p}.ln1_post.w" in w:
        attn = norm(attn, w, f"{p}.ln1_post", config, taps)
    x = taps(f"{p}.resid_mid", x + taps(f"{p}.attn_out", attn))
    mlp = gated_mlp(norm(x, w, f"{p}.ln2", config, taps), w, i, config, taps)
    if f"{p}.ln2_post.w" in w:
        mlp = norm(mlp, w, f"{p}.ln2_post", config, taps)
    return taps(f"{p}.resid_post", x + taps(f"{p}.mlp_out", mlp))


def forward(config: Config, w: Weights, ids: np.ndarray, edits: Edits | None = None) -> dict[str, np.ndarray]:
    """ids [pos] -> every activation by name, "logits" [pos, d_vocab] the last; `edits` replaces values by name."""
    taps = Taps(edits)
    x = taps("embed", embed(ids, w["embed.W_E"], config.embed_scale))
    for i in range(config.n_layers):
        x = block(x, w, i, config, taps)
    x = norm(x, w, "ln_final", config, taps)
    taps("logits", unembed(x, w["unembed.W_U"], config.final_soft_cap))
    return taps.close()
