"""Gemma 3 (Gemma team, 2025, https://arxiv.org/abs/2503.19786): a norm before and after each sublayer, norms on q and
k, five sliding-window layers for each global one with rotary bases of their own, and a scaled embedding."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .decoder import forward as forward

PAIRED_ROWS = False


def own_config(get: Callable[..., Any]) -> dict[str, Any]:
    """The Config fields that a file of this family sets in its own way; get(key, default) reads its metadata."""
    return {
        "rope_base": get("rope.freq_base", 1e6),
        "rope_base_local": get("rope.freq_base_swa", 1e4),
        "sliding_window": get("attention.sliding_window"),
        "window_pattern": get("attention.sliding_window_pattern", 6),
        "embed_scale": float(np.sqrt(np.float32(get("embedding_length")))),
        "activation": "gelu_tanh",
    }
