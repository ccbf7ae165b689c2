"""Fingerprints: BLAKE2b-128 over token ids and over the bits of the float32 logits rows that were sampled from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

_NAN = np.uint32(0x7FC00000)


def row_bytes(row: np.ndarray) -> bytes | memoryview:
    """float32 [n] as little-endian bytes, every NaN as 0x7fc00000."""
    bits = np.ascontiguousarray(row, dtype="<f4")
    nan = np.isnan(bits)
    if nan.any():
        bits = np.where(nan, _NAN, bits.view("<u4")).astype("<u4")
    return bits.data.cast("B")


class Fingerprint:
    """A running fingerprint. Each row is hashed as it comes; the ids close it.

    What is hashed: the rows in order, then for each id list its length as int64 and its ids as int32, little-endian.
    """

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)

    def with_row(self, row: np.ndarray) -> Fingerprint:
        """The fingerprint with one more row; this one stays as it is."""
        longer = Fingerprint()
        longer._hash = self._hash.copy()
        longer._hash.update(row_bytes(row))
        return longer

    def hexdigest(self, *id_lists: Iterable[int]) -> str:
        closed = self._hash.copy()
        for ids in id_lists:
            array = np.asarray(list(ids), "<i4")
            closed.update(np.asarray([array.size], "<i8").tobytes() + array.tobytes())
        return closed.hexdigest()
