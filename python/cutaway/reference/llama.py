"""The llama family (Touvron et al., 2023, https://arxiv.org/abs/2302.13971): pre-norm blocks, rotary grouped-head
attention, gated MLP. SmolLM2 and Llama 2 and 3 are of it."""

from collections.abc import Callable
from typing import Any

from .decoder import forward as forward

PAIRED_ROWS = True  # GGUF files hold the rows of W_Q and W_K in an order that makes rotated pairs neighbours


def own_config(get: Callable[..., Any]) -> dict[str, Any]:
    """The Config fields that a file of this family sets in its own way; get(key, default) reads its metadata."""
    return {"rope_base": get("rope.freq_base", 1e4)}
