"""transformers on torch, as one side of a comparison: the weights of the same GGUF file, decoded."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from cutaway.bench.machine import cpu_facts
from transformers import AutoModelForCausalLM


def load(path: str, threads: int, dtype: str, attention: str) -> Any:
    """transformers decodes the file into matrices of one dtype, which its peak of memory includes."""
    torch.set_num_threads(threads)
    transformers.logging.set_verbosity_error()
    source = Path(path).absolute()
    kind = {"float32": torch.float32, "bfloat16": torch.bfloat16}[dtype]
    with contextlib.redirect_stderr(io.StringIO()):  # it draws progress bars
        return AutoModelForCausalLM.from_pretrained(
            source.parent, gguf_file=source.name, dtype=kind, attn_implementation=attention
        ).eval()


def bf16_unit(flags: list[str]) -> str:
    """What a CPU multiplies bfloat16 with; without, torch widens to float32."""
    return next((flag for flag in ("amx_bf16", "avx512_bf16", "bf16") if flag in flags), "none in this CPU")


class Transformers:
    def __init__(self, path: str, threads: int, dtype: str = "float32", attention: str = "sdpa"):
        self.model = load(path, threads, dtype, attention)
        self.dtype, self.attention, self.threads = dtype, attention, threads
        self.d_vocab = self.model.config.vocab_size
        self.clear()

    def clear(self) -> None:
        self.past = None

    @torch.inference_mode()
    def append(self, ids: np.ndarray) -> np.ndarray:
        out = self.model(torch.from_numpy(ids.astype(np.int64))[None], past_key_values=self.past, logits_to_keep=1)
        self.past = out.past_key_values
        return out.logits[0, -1].float().numpy()

    @torch.inference_mode()
    def append_traced(self, ids: np.ndarray, names: list[str]) -> Any:
        """Attentions and hidden states of every layer, which is what it offers."""
        return self.model(
            torch.from_numpy(ids.astype(np.int64))[None],
            logits_to_keep=1,
            output_attentions=True,
            output_hidden_states=True,
        )

    def trace_bytes(self, ids: np.ndarray, names: list[str]) -> int:
        out = self.append_traced(ids, names)
        return sum(t.nbytes for t in (*out.attentions, *out.hidden_states))

    def facts(self) -> dict[str, Any]:
        return {
            "version": transformers.__version__,
            "torch": torch.__version__,
            "dtype": self.dtype,
            "attention": self.attention,
            "threads": self.threads,
            "capability": torch.backends.cpu.get_cpu_capability(),
            "bf16 unit": bf16_unit(cpu_facts().get("flags", "").split()),
        }
