"""The numbers that, with the weights, define a model of the families here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """A model's shape and constants, in this project's names (docs/names.md)."""

    arch: str  # the family: a file of this folder
    n_layers: int
    d_model: int
    n_heads: int
    n_kv_heads: int
    d_head: int
    d_mlp: int
    d_vocab: int
    n_ctx: int
    eps: float
    rope_base: float
    attn_scale: float  # what q . k is multiplied with, usually d_head^-0.5
    activation: str = "silu"  # or "gelu_tanh"
    n_rot: int | None = None  # rotated dimensions of a head; None: all
    rope_linear_factor: float = 1.0  # of the global layers
    rope_base_local: float | None = None  # of the sliding-window layers
    sliding_window: int | None = None  # keys that a local layer sees, the query's own included
    window_pattern: int = 1  # every window_pattern-th layer is global; 1: all are
    attn_soft_cap: float | None = None
    final_soft_cap: float | None = None
    embed_scale: float = 1.0
    tied: bool = True  # W_U is the transpose of W_E

    def is_local(self, layer: int) -> bool:
        """Does this layer see a sliding window only?"""
        return self.sliding_window is not None and (layer + 1) % self.window_pattern != 0
