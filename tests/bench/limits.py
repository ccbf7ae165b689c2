"""What the hardware allows: decode is bounded by bytes read per token, prefill by operations per token.

From the file alone, so that the limit is the same for every engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cutaway as ca

INTEGER = "int8"
FLOAT = "f32"


@dataclass(frozen=True)
class Work:
    """What one model asks of a machine. head: operations and bytes of the vocabulary matrix, done once per prompt."""

    name: str
    stored: int  # bytes of all tensors
    body_bytes: int
    head_bytes: int
    body_weights: dict[str, int] = field(default_factory=dict)  # arithmetic -> matrix weights, without the head
    head_weights: dict[str, int] = field(default_factory=dict)
    kv_widths: tuple[tuple[int, int | None], ...] = ()  # per K or V matrix: elements a position adds, sliding window


def arithmetic(type_name: str, compute: str = INTEGER) -> str:
    """Which peak bounds a matrix of this type: stored quantised and run as int8, or float32."""
    return FLOAT if compute != INTEGER or type_name in ("F32", "F16", "BF16") else INTEGER


def work_of(path: Path, compute: str = INTEGER) -> Work:
    """Counts the tensors of a GGUF file."""
    file = ca.inspect_file(path)
    meta = dict(file.metadata)
    tensors = {t.name: t for t in file.tensors}
    head = "output.weight" if "output.weight" in tensors else "token_embd.weight"
    body: dict[str, int] = {}
    head_weights: dict[str, int] = {}
    kv_widths: list[tuple[int, int | None]] = []
    body_bytes = 0
    for name, t in tensors.items():
        if name in ("output.weight", "token_embd.weight"):
            continue  # a lookup touches one row
        body_bytes += t.bytes
        if len(t.shape) == 2:
            kind = arithmetic(t.type, compute)
            body[kind] = body.get(kind, 0) + t.shape[0] * t.shape[1]
            if name.endswith(("attn_k.weight", "attn_v.weight")):
                kv_widths.append((t.shape[0], _window(meta, int(name.split(".")[1]))))
    t = tensors[head]
    head_weights[arithmetic(t.type, compute)] = t.shape[0] * t.shape[1]
    name = str(meta.get("general.name", path.stem))
    return Work(name, sum(x.bytes for x in tensors.values()), body_bytes, t.bytes, body, head_weights, tuple(kv_widths))


def _window(metadata: dict[str, Any], layer: int) -> int | None:
    """How many positions a layer sees at most; None for all. Gemma 3: every sixth layer sees all."""
    family = metadata["general.architecture"]
    window = metadata.get(f"{family}.attention.sliding_window")
    pattern = metadata.get(f"{family}.attention.sliding_window_pattern", 6)
    return None if window is None or (layer + 1) % int(pattern) == 0 else int(window)


def decode_bytes(work: Work, context: float = 0, kv_bytes: int = 2, rows: int = 1) -> float:
    """Bytes that one decode step of `rows` sequences reads: every weight once, and each sequence's K and V."""
    kv = sum(width * (context if window is None else min(context, window)) for width, window in work.kv_widths)
    return work.body_bytes + work.head_bytes + rows * kv * kv_bytes


def prefill_limit(work: Work, peaks: dict[str, float], tokens: int) -> float:
    """tok/s that the peaks (Gop/s by arithmetic) allow: two operations per weight and token, the head for one row."""
    seconds = sum(2e-9 * n * tokens / peaks[kind] for kind, n in work.body_weights.items())
    seconds += sum(2e-9 * n / peaks[kind] for kind, n in work.head_weights.items())
    return tokens / seconds
