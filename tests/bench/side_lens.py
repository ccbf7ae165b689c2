"""TransformerLens's bridge over transformers' model of the same weights, float32."""

from __future__ import annotations

import contextlib
import io
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformer_lens import TransformerBridge
from transformers import AutoTokenizer

from bench.side_transformers import load


class Lens:
    def __init__(self, path: str, threads: int):
        model = load(path, threads, "float32", "eager")
        self.threads, self.d_vocab = threads, model.config.vocab_size
        source = Path(path).absolute()
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):  # progress, remarks
            tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
            self.bridge = TransformerBridge.boot_transformers(str(source.parent), hf_model=model, tokenizer=tokenizer)

        warnings.filterwarnings("ignore", message="run_with_cache: skipped")  # hooks that are off by default
        self.clear()

    def clear(self) -> None:
        self.ids = np.empty(0, np.int32)

    @torch.inference_mode()
    def append(self, ids: np.ndarray) -> np.ndarray:
        """The bridge has no session here: the whole text runs again."""
        self.ids = np.concatenate([self.ids, ids])
        return self.bridge(_tensor(self.ids), logits_to_keep=1)[0, -1].numpy()

    @torch.inference_mode()
    def append_traced(self, ids: np.ndarray, names: list[str]) -> Any:
        """names: parts of hook names, or ["*"] for everything."""

        def chosen(name: str) -> bool:
            return names == ["*"] or any(part in name for part in names)

        _, cache = self.bridge.run_with_cache(_tensor(ids), names_filter=chosen, logits_to_keep=1)
        return cache

    def trace_bytes(self, ids: np.ndarray, names: list[str]) -> int:
        """Each buffer counted once."""
        held = self.append_traced(ids, names).cache_dict.values()
        return sum({t.data_ptr(): t.nbytes for t in held if t is not None}.values())

    def facts(self) -> dict[str, Any]:
        return {"version": version("transformer-lens"), "torch": torch.__version__, "threads": self.threads}


def _tensor(ids: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(ids.astype(np.int64))[None]
