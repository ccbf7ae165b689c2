"""What `run_with_cache` returns beside the logits: arrays by name, views of the engine's memory or copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ArgumentError
from .names import Activation, Names, canonical
from .numbers import sized
from .views.shown import Shown

if TYPE_CHECKING:
    from .views.page import View

DTYPES = ("float32", "float16")


def checked_dtype(dtype: Any) -> str:
    """The name of a dtype that a trace can have; NumPy's own objects are accepted."""
    name = getattr(dtype, "__name__", None) or str(dtype)
    if name not in DTYPES:
        raise ArgumentError(f"dtype is {dtype!r}, expected 'float32' or 'float16'.")
    return name


class Trace(Shown, Mapping[str, np.ndarray]):
    """A read-only mapping of activation names to arrays.

    float32: each array is a view of the buffer that the engine wrote, no copy, read-only, alive as long as a view.
    float16: each is a converted copy, half the bytes: bit for bit `float32_array.astype(np.float16)`.
    `attn.result` is computed from `attn.z` when it is asked for.
    """

    def __init__(
        self,
        model: Any,
        chosen: list[Activation],
        arrays: dict[str, np.ndarray],
        batch_axis: bool,
        dtype: str = "float32",
    ):
        self._model, self._chosen, self._batch_axis, self._dtype = model, chosen, batch_axis, dtype
        derived = {f"blocks.{a.layer}.attn.z" for a in chosen if a.kind == "derived"}
        self._sources = {name: arrays[name] for name in derived}  # float32: a derived value is rounded once, at its end
        self._arrays = arrays
        if dtype == "float16":
            copies: dict[int, np.ndarray] = {}  # names that share a buffer share its copy
            self._arrays = {}
            for name in (a.name for a in chosen if a.kind != "derived"):
                array = arrays[name]
                if array.ctypes.data not in copies:
                    copies[array.ctypes.data] = to_float16(name, array)
                self._arrays[name] = copies[array.ctypes.data].reshape(array.shape)
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
        if not isinstance(name, str):
            raise ArgumentError(f"A trace is read by name, got {name!r}; this one has {self._summary()}.")
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
            result = self._model.attention_result(layer, self._sources[f"blocks.{layer}.attn.z"])
            self._arrays[key] = to_float16(key, result) if self._dtype == "float16" else result
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
        held = [*self._arrays.values(), *self._sources.values()]
        return sum({a.ctypes.data: a.nbytes for a in held}.values())

    def info(self) -> dict[str, dict[str, Any]]:
        """Per name: shape, dtype, bytes, copy (False: the engine's own buffer), address, equation."""
        return {
            a.name: {
                "shape": array.shape,
                "dtype": str(array.dtype),
                "bytes": array.nbytes,
                "copy": self._dtype == "float16" or a.kind == "derived",
                "address": array.ctypes.data,
                "equation": a.equation,
            }
            for a in self._chosen
            for array in [self[a.name]]
        }

    def fingerprints(self) -> dict[str, str]:
        """Per name: BLAKE2b-128 of the bits as float32 (float16 copies widened), every NaN as one pattern."""
        from .fingerprint import Fingerprint

        return {name: Fingerprint().with_row(self[name].reshape(-1)).hexdigest() for name in self.names()}

    def _shape(self, a: Activation) -> list[int]:
        """Known without computing what is derived: showing a trace must be cheap."""
        if a.name in self._arrays:
            shape = self._arrays[a.name].shape
        else:
            shape = (*self._sources[f"blocks.{a.layer}.attn.z"].shape[:2], self._model.config.d_model)
        return [1, *shape] if self._batch_axis else [*shape]

    def _summary(self) -> str:
        names = self.names()
        return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} more"

    def __repr__(self) -> str:
        from .views.page import counted

        rows = [f"  {a.name}  {self._shape(a)}" for a in self._chosen[:40]]
        more = [f"  ... {len(self) - 40} more"] if len(self) > 40 else []
        kind = ", float16 copies" if self._dtype == "float16" else ""
        return "\n".join([f"Trace of {counted(len(self), 'array')}{kind}, {sized(self.nbytes)}", *rows, *more])

    def records(self) -> list[dict[str, Any]]:
        """One per array: name, shape, dtype and equation; `trace[name]` has the numbers."""
        return [
            {"name": a.name, "shape": self._shape(a), "dtype": self._dtype, "equation": a.equation}
            for a in self._chosen
        ]  # fmt: skip

    def view(self) -> View:
        """The names and shapes."""
        from .views.page import View
        from .views.table import html_table, plain_text

        rows = [(a.name, str(self._shape(a))) for a in self._chosen[:200]]
        more = f"<p class=dim>… {len(self) - 200} more</p>" if len(self) > 200 else ""
        title = repr(self).split("\n", 1)[0]
        body = f"<h4>{title}</h4>{html_table(('name', 'shape'), rows)}{more}"
        return View(title, body, lambda: plain_text(repr(self)), records=self.records)


def to_float16(name: str, array: np.ndarray) -> np.ndarray:
    """A read-only float16 copy, rounded to nearest even; -inf (a masked score), +inf and NaN stay.

    ArgumentError for a finite value that float16 has no finite number for: from 65520 on it would become infinite.
    """
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    over = np.isinf(half) & np.isfinite(array)
    if over.any():
        raise ArgumentError(
            f"{name} does not fit into float16: its largest magnitude is {np.abs(array[over]).max():.7g}, and float16 "
            f"ends at 65504. Trace it with dtype='float32', or leave it out of names=."
        )
    half.flags.writeable = False
    return half
