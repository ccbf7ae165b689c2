"""`model.weights`: every weight by TransformerLens's name, decoded from the stored blocks when it is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .arguments import checked_arguments, described
from .errors import UnknownNameError
from .names import beyond
from .nearest import did_you_mean, nearest


@checked_arguments
class Weights(Mapping[str, np.ndarray]):
    """A read-only mapping of names to float32 arrays, exact and unfolded.

    W_Q, W_K, W_V: [heads, d_model, d_head]; W_O: [n_heads, d_head, d_model]; W_in, W_gate: [d_model, d_mlp]; W_out:
    [d_mlp, d_model]; W_E: [d_vocab, d_model]; W_U: [d_model, d_vocab]; norm weights are those in force.
    """

    def __init__(self, core: Any):
        self._core = core
        self._facts = {name: (tuple(shape), tensor, type) for name, shape, tensor, type in core.weight_names()}

    def __getitem__(self, name: str) -> np.ndarray:
        if not isinstance(name, str):
            raise UnknownNameError(f"A weight is read by name, such as 'blocks.0.attn.W_Q', got {described(name)}.")
        name = {"W_E": "embed.W_E", "W_U": "unembed.W_U"}.get(name, name)
        if name not in self._facts:
            near = nearest(name, self._facts, n=3, cutoff=0.6)
            hint = beyond(name, self._facts) or did_you_mean(near, "list(model.weights) has all names.")
            raise UnknownNameError(f"There is no weight '{name}'.{hint}")
        array: np.ndarray = self._core.weight(name)
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __contains__(self, name: object) -> bool:
        return name in self._facts

    def info(self) -> dict[str, dict[str, Any]]:
        """Per name: shape, the file's tensor, how it is stored."""
        return {n: {"shape": s, "tensor": t, "type": k} for n, (s, t, k) in self._facts.items()}

    def __repr__(self) -> str:
        total = sum(math.prod(shape) for shape, _, _ in self._facts.values())
        first = [f"  {n}  {list(s)}  {k}" for n, (s, _, k) in list(self._facts.items())[:14]]
        return "\n".join([f"{len(self)} weights, {total:,} numbers", *first, "  ..."])
