"""Pictures of shares as CSS masks: the page's own colours shine through, light or dark."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np


def alpha_png(alpha: np.ndarray) -> bytes:
    """A PNG (W3C, third edition) that is black with the given opacity. alpha: uint8 [height, width]."""
    height, width = alpha.shape
    rows = np.zeros((height, 1 + 2 * width), np.uint8)  # filter type 0, then grey and alpha of each pixel
    rows[:, 2::2] = alpha
    header = struct.pack(">IIBBBBB", width, height, 8, 4, 0, 0, 0)  # 8 bits, grey with alpha
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def mask(alpha: np.ndarray) -> str:
    """The style of an element of class `map`: opaque where the share is 255. alpha: uint8 [height, width]."""
    return f"--m:url(data:image/png;base64,{base64.b64encode(alpha_png(alpha)).decode()})"


def pooled(alpha: np.ndarray, side: int) -> np.ndarray:
    """A thumbnail of at most side x side: the largest share of each block. alpha: uint8 [height, width]."""
    block = max(1, -(-max(alpha.shape) // side))
    padded = np.pad(alpha, [(0, -n % block) for n in alpha.shape])
    height, width = (n // block for n in padded.shape)
    return padded.reshape(height, block, width, block).max((1, 3))
