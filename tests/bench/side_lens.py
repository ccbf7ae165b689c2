"""TransformerLens's bridge over transformers' model of the same weights, float32."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from transformer_lens import TransformerBridge
from transformers import PreTrainedTokenizerFast

from bench.side_transformers import load


class Lens:
    def __init__(self, path: str, threads: int):
        model = load(path, threads, "float32", "eager")
        self.threads, self.d_vocab = threads, model.config.vocab_size
        self.bridge = TransformerBridge.boot_transformers("local", hf_model=model, tokenizer=_tokenizer())

    def clear(self) -> None:
        """Every call runs on its own."""

    @torch.inference_mode()
    def append(self, ids: np.ndarray) -> np.ndarray:
        return self.bridge(_tensor(ids), logits_to_keep=1)[0, -1].numpy()

    @torch.inference_mode()
    def append_traced(self, ids: np.ndarray, names: list[str]) -> int:
        """names: parts of hook names, or ["*"] for everything. The bytes of the cache, each buffer counted once."""

        def chosen(name: str) -> bool:
            return names == ["*"] or any(part in name for part in names)

        _, cache = self.bridge.run_with_cache(_tensor(ids), names_filter=chosen, logits_to_keep=1)
        return sum({t.data_ptr(): t.nbytes for t in cache.cache_dict.values() if t is not None}.values())

    def facts(self) -> dict[str, Any]:
        return {"version": version("transformer-lens"), "torch": torch.__version__, "threads": self.threads}


def _tensor(ids: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(ids.astype(np.int64))[None]


def _tokenizer() -> PreTrainedTokenizerFast:
    """The bridge asks for one; ids alone go in, so the smallest there is."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}
    words = {"<unk>": 0, "<s>": 1, "</s>": 2}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(words, unk_token="<unk>")), **names)
