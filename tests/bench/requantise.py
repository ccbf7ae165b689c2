"""Requantises a real model with llama.cpp's own quantiser, every matrix to one type."""

from __future__ import annotations

import ctypes
from pathlib import Path

# type -> llama.cpp's file type. Rows of 576 or 640 weights are no whole blocks of 256, so no K-quants.
FILE_TYPES = {"Q4_0": 2, "Q4_1": 3, "Q5_0": 8, "Q5_1": 9, "Q8_0": 7, "IQ4_NL": 25, "MXFP4": 38}


def requantised(source: Path, kind: str, folder: Path) -> Path:
    """The file in a folder, made if it is not there. From a quantised file: what that one had lost stays lost."""
    import llama_cpp.llama_cpp as L
    from cutaway.bench.side_llama_cpp import _silent

    target = folder / f"{source.stem}-{source.stat().st_size}-{kind.lower()}.gguf"
    if target.exists():
        return target
    L.llama_log_set(_silent, ctypes.c_void_p(0))
    L.llama_backend_init()
    params = L.llama_model_quantize_default_params()
    params.ftype, params.allow_requantize, params.pure = FILE_TYPES[kind], True, True
    partial = target.with_suffix(".partial")
    if L.llama_model_quantize(str(source).encode(), str(partial).encode(), ctypes.byref(params)) != 0:
        raise RuntimeError(f"llama.cpp does not quantise {source.name} to {kind}")
    return partial.rename(target)
