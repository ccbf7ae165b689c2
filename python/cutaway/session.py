"""The KV cache in the open: append, fork, truncate, look inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import checked_arguments
from .errors import ArgumentError
from .numbers import whole

if TYPE_CHECKING:
    from .model import Model


@checked_arguments
class Session:
    """A text in progress. `len(session)` is the number of positions in its cache.

    Forks share the cache's blocks of 64 positions and copy one only when they write to it.
    """

    def __init__(self, model: Model, core: Any, ids: Sequence[int] = ()):
        self._model, self._core = model, core
        self._ids = [*ids]  # of the cache, or where an interrupt kept some from being noted, its beginning

    @property
    def ids(self) -> np.ndarray | None:
        """The tokens in the cache, int32 [length]; None where an interrupted call has left them unknown."""
        return np.asarray(self._ids, np.int32) if len(self._ids) == len(self) else None

    def append(
        self,
        ids: Any,
        logits: str | None = "last",
        names: str | Iterable[str] | None = None,
        positions: Any = None,
    ) -> Any:
        """Runs new ids (1-D integers, or one int) behind what is there.

        logits: "last" returns float32 [d_vocab], "all" [n, d_vocab], None nothing. With `names`, returns
        (logits, trace) where the trace covers the new positions: patterns are [n_heads, n_new, n_past + n_new].
        A failed or interrupted call leaves the session as it was.
        """
        if logits not in ("last", "all", None):
            raise ArgumentError(f"logits is {logits!r}, expected 'last', 'all' or None.")
        if isinstance(ids, str):
            raise ArgumentError("append takes token ids; encode the text with model.tokenizer first.")
        if not isinstance(ids, (list, tuple, np.ndarray)):
            ids = [ids]
        past = len(self)
        (row,), (trace,) = self._model._run([ids], [self._core], logits or "none", names, positions, False)
        self._note(past, ids)
        if trace is not None:
            trace.ids, trace.positions = self.ids, trace.positions + past
        if row is not None and logits == "last":
            row = row[0]
        return row if names is None else (row, trace)

    def _note(self, past: int, ids: Iterable[int]) -> None:
        if len(self._ids) == past:
            self._ids.extend(np.asarray(ids).tolist())

    def fork(self) -> Session:
        """A second session that goes on from here; costs no copy."""
        return Session(self._model, self._core.fork(), self._ids)

    def truncate(self, n: int) -> None:
        """Keeps the first n positions."""
        self._core.truncate(whole("n", n))
        del self._ids[n:]

    def __len__(self) -> int:
        return len(self._core)

    def kv(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """What the cache holds of a layer: (k, v), float32 [length, n_kv_heads, d_head], a converted copy.

        Keys are rotated. Both were rounded once on entering, to what `load(kv_type=)` says: by default to float16 in
        int8 mode, while float32 mode keeps float32.
        """
        k, v = self._core.kv(whole("layer", layer))
        return k, v

    def __repr__(self) -> str:
        return f"Session of {len(self)} positions, KV in {self._core.kv_dtype}, n_ctx {self._model.n_ctx}"


@checked_arguments
def step(sessions: Sequence[Session], ids: Any) -> np.ndarray:
    """One token for each of several sessions of one model, in one batched step.

    ids: 1-D integers, one per session. Returns float32 [n, d_vocab]; row i is bit for bit
    `sessions[i].append(ids[i])`.
    """
    if not sessions:
        raise ArgumentError("step needs at least one session.")
    if not all(isinstance(s, Session) for s in sessions):
        raise ArgumentError("step takes a list of sessions (model.session()) and one id for each.")
    model = sessions[0]._model
    if any(s._model is not model for s in sessions):
        raise ArgumentError("The sessions belong to different models; step takes sessions of one.")
    flat = np.asarray(ids)
    if flat.shape != (len(sessions),):
        raise ArgumentError(f"step got ids of shape {list(flat.shape)} for {len(sessions)} sessions; pass one id each.")
    rows, _ = model._run(
        [flat[i : i + 1] for i in range(len(sessions))], [s._core for s in sessions], "last", None, None, False
    )
    for session, id in zip(sessions, flat, strict=True):
        session._note(len(session) - 1, [id])
    return np.concatenate(rows)
