"""What `run_with_cache` returns beside the logits: arrays by name, views of the engine's own memory."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .errors import ArgumentError
from .names import Activation, Names, canonical


class Trace(Mapping[str, np.ndarray]):
    """A read-only mapping of activation names to float32 arrays.

    Each array is a view of the buffer that the engine wrote: no copy, read-only, alive as long as a view lives.
    `attn.result` is computed from `attn.z` when it is asked for.
    """

    def __init__(self, model: Any, chosen: list[Activation], arrays: dict[str, np.ndarray], batch_axis: bool):
        self._model, self._chosen, self._arrays, self._batch_axis = model, chosen, arrays, batch_axis
        self.ids: np.ndarray | None = None
        """int32 [key_pos]: every token that the traced rows could see, those of earlier calls included; None where a
        session does not know its past."""
        self.positions: np.ndarray = np.empty(0, np.int64)
        """[query_pos]: the position in the text of each row."""

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer; None where it has none."""
        return self._model._tokenizer

    @property
    def n_layers(self) -> int:
        """The model's, traced or not."""
        n: int = self._model.config.n_layers
        return n

    def names(self) -> list[str]:
        """The names in this trace, in the order of computation."""
        return [a.name for a in self._chosen]

    def __getitem__(self, name: str) -> np.ndarray:
        key = canonical(name)
        if key not in self._arrays:
            if all(a.name != key for a in self._chosen):
                known: Names = self._model.names()
                if key in known:
                    raise ArgumentError(
                        f"{key} was not traced; this trace has {self._summary()}. Pass names=[..., {key!r}]."
                    )
                known.select(key)  # raises, with near misses
            layer = next(a.layer for a in self._chosen if a.name == key)
            z = self._arrays[f"blocks.{layer}.attn.z"]
            self._arrays[key] = self._model.attention_result(layer, z)
        array = self._arrays[key]
        return array[None] if self._batch_axis else array

    def get(self, name: str, default: Any = None) -> Any:
        """The array, or `default` where the trace does not have it."""
        return self[name] if name in self else default  # noqa: SIM401 (this is get)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self._chosen)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and canonical(name) in self.names()

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays held, each buffer counted once."""
        return sum({a.ctypes.data: a.nbytes for a in self._arrays.values()}.values())

    def info(self) -> dict[str, dict[str, Any]]:
        """Per name: shape, dtype, bytes, address of the engine's buffer, equation."""
        return {
            a.name: {
                "shape": array.shape,
                "dtype": str(array.dtype),
                "bytes": array.nbytes,
                "address": array.ctypes.data,
                "equation": a.equation,
            }
            for a in self._chosen
            for array in [self[a.name]]
        }

    def fingerprints(self) -> dict[str, str]:
        """Per name: BLAKE2b-128 of the float32 bits, every NaN as one pattern."""
        from .fingerprint import Fingerprint

        return {name: Fingerprint().with_row(self[name].reshape(-1)).hexdigest() for name in self.names()}

    def _shape(self, a: Activation) -> list[int]:
        """Known without computing what is derived: showing a trace must be cheap."""
        if a.name in self._arrays:
            shape = self._arrays[a.name].shape
        else:
            shape = (*self._arrays[f"blocks.{a.layer}.attn.z"].shape[:2], self._model.config.d_model)
        return [1, *shape] if self._batch_axis else [*shape]

    def _summary(self) -> str:
        names = self.names()
        return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} more"

    def __repr__(self) -> str:
        rows = [f"  {a.name}  {self._shape(a)}" for a in self._chosen[:40]]
        more = [f"  ... {len(self) - 40} more"] if len(self) > 40 else []
        return "\n".join([f"Trace of {len(self)} arrays, {self.nbytes / 2**20:.1f} MiB", *rows, *more])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:left">{html.escape(a.name)}</td><td>{self._shape(a)}</td></tr>'
            for a in self._chosen[:200]
        )
        more = f"<p>... {len(self) - 200} more</p>" if len(self) > 200 else ""
        return f"<table><tr><th>name</th><th>shape</th></tr>{rows}</table>{more}"
