"""Attention patterns on their way into a page: where they come from, which part is shown, how weights are packed."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..arguments import described
from ..errors import ArgumentError
from ..ledger import token_text
from ..numbers import whole
from ..trace import Trace
from .labels import label

_KEYS = 48  # tokens at once by default: labels can still be read


@dataclass(frozen=True)
class Patterns:
    """Patterns and what stands beside them."""

    patterns: Mapping[int, np.ndarray]
    """By layer: [n_heads, query_pos, key_pos]."""
    labels: tuple[str, ...]
    """[key_pos]: tokens as they read."""
    positions: np.ndarray
    """[query_pos]: the key at which each query stands."""
    n_layers: int | None
    """Of the model; None where an array was given."""


@dataclass(frozen=True)
class Window:
    """The part of the patterns that is shown: keys in `keys`, the queries among them."""

    source: Patterns
    keys: range
    rows: np.ndarray
    """Which queries."""

    @property
    def queries(self) -> list[int]:
        """For each row, the shown key at which its query stands."""
        return [int(p) - self.keys.start for p in self.source.positions[self.rows]]

    @property
    def earlier(self) -> int:
        """1 where keys before the window are summed up in front of each row."""
        return int(self.keys.start > 0)

    def shares(self, layer: int) -> np.ndarray:
        """uint8 [n_heads, row, earlier + key]: round(255 sqrt(weight))."""
        pattern = weights(self.source, layer)[:, self.rows]
        shown = pattern[:, :, self.keys.start : self.keys.stop]
        if self.earlier:
            shown = np.concatenate([pattern[:, :, : self.keys.start].sum(2, keepdims=True), shown], axis=2)
        return np.rint(255 * np.sqrt(np.minimum(shown, 1.0))).astype(np.uint8)

    def packed(self, layer: int) -> str:
        """Base64 of the bytes of all heads, row by row, each up to its query."""
        shares = self.shares(layer)
        ends = [q + 1 + self.earlier for q in self.queries]
        kept = [head[i, :end] for head in shares for i, end in enumerate(ends)]
        return base64.b64encode(np.concatenate(kept).tobytes()).decode()

    def names(self) -> list[str]:
        """What the tokens of the flow are called, the sum of the earlier ones included."""
        shown = [self.source.labels[k] for k in self.keys]
        return [f"{self.keys.start} earlier", *shown] if self.earlier else shown


def patterns_of(patterns: Trace | np.ndarray, tokens: Sequence[str] | None) -> Patterns:
    if isinstance(patterns, Trace):
        found = {}
        for name in patterns.names():
            if name.endswith(".attn.pattern"):
                found[int(name.split(".")[1])] = patterns[name][0] if patterns[name].ndim == 4 else patterns[name]
        if not found:
            raise ArgumentError("The trace has no attention patterns; trace names='blocks.*.attn.pattern'.")
        n_keys = next(iter(found.values())).shape[2]
        if tokens is None and patterns.ids is not None:
            texts = [token_text(patterns.tokenizer, int(id)) for id in patterns.ids]
            tokens = [f"id {id}" if text is None else text for id, text in zip(patterns.ids, texts, strict=True)]
        n_layers = patterns.n_layers
        positions = patterns.positions
    else:
        try:
            array = np.asarray(patterns)
        except ValueError:  # a ragged list
            array = np.asarray(None)
        array = array[None] if array.ndim == 2 else array[0] if array.shape[:1] == (1,) and array.ndim == 4 else array
        if array.ndim != 3 or array.dtype.kind != "f" or 0 in array.shape or array.shape[1] > array.shape[2]:
            raise ArgumentError(
                f"views.attention got {described(array if array.ndim else patterns)}, expected a trace or weights "
                f"[n_heads, query_pos, key_pos], such as trace['blocks.0.attn.pattern']."
            )
        found, n_layers, n_keys = {0: array}, None, array.shape[2]
        positions = np.arange(n_keys - array.shape[1], n_keys)  # the last of the text
    if tokens is None:
        raise ArgumentError(f"Pass tokens=, the {n_keys} tokens of the keys; this input does not know them.")
    if not isinstance(tokens, Sequence) or isinstance(tokens, str):
        raise ArgumentError(f"tokens must be a list of {n_keys} texts, one per key, got {described(tokens)}.")
    if len(tokens) != n_keys:
        raise ArgumentError(f"tokens has {len(tokens)} names, expected one per key: {n_keys}.")
    return Patterns(found, tuple(label(str(token)) for token in tokens), positions, n_layers)


def weights(source: Patterns, layer: int) -> np.ndarray:
    """float32 [n_heads, query_pos, key_pos]: weights, none on a key behind its query."""
    pattern = source.patterns[layer].astype(np.float32)
    if not (np.isfinite(pattern).all() and pattern.min() >= 0 and pattern.max() <= 1 + 1e-3):
        raise ArgumentError("The pattern holds numbers outside [0, 1]; attn.pattern are weights, attn.scores are not.")
    if pattern[:, np.arange(pattern.shape[2]) > source.positions[:, None]].any():
        raise ArgumentError("The pattern has weight on keys behind their query; a causal one is expected.")
    return pattern


def window(source: Patterns, start: int, count: int | None) -> Window:
    """At most `count` tokens from `start` on."""
    total, first = len(source.labels), whole("start", start, 0)
    n = _KEYS if count is None else whole("count", count, 1)
    if first == 0 and count is None and source.positions[0] >= n:
        first = total - n  # only later tokens look: where they are
    if first >= total:
        raise ArgumentError(f"start is {first}, but there are {total:,} tokens; expected 0 to {total - 1}.")
    keys = range(first, min(first + n, total))
    rows = np.flatnonzero((source.positions >= first) & (source.positions < keys.stop))
    if not len(rows):
        raise ArgumentError(
            f"No query stands at {first} to {keys.stop - 1}; the rows of this trace are at "
            f"{int(source.positions[0])} to {int(source.positions[-1])}."
        )
    return Window(source, keys, rows)
