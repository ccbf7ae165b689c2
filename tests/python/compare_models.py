"""For tests of comparisons: small models, two of one vocabulary and one of another; templates; results by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cutaway as ca
from cutaway.comparison.answers import Answer
from cutaway.comparison.table import Comparison
from cutaway.comparison.tokens import TokenRow, TokenTable
from make_models import make_model

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)
ALPACA = '### {"Instruction"}:\n{prompt}\n\n### Response:\n'


def make_files(folder: Path) -> dict[str, Path]:
    """base and tuned: random llamas of one vocabulary; other: a random gemma of another."""
    files = {"base": ("llama", 11), "tuned": ("llama", 12), "other": ("gemma3", 13)}
    for name, (family, seed) in files.items():
        make_model(folder / f"{name}.gguf", family, "F32", seed)
    return {name: folder / f"{name}.gguf" for name in files}


def load_all(files: dict[str, Path]) -> dict[str, ca.Model]:
    return {name: ca.load(path, threads=1) for name, path in files.items()}


def answer(model, index=0, sample=0, **changed):
    values = dict(
        model=model, prompt="Why?", sample=sample, seed=sample, text="So.\nYes", finish_reason="length", tokens=3,
        mean_logprob=-1.0, entropy=2.0, top1_rate=1 / 3, repeats=0.0, echoes_prompt=0.5, seconds=0.1, error=None,
        prompt_index=index, rendered="<u>Why?</u>", span=(3, 7), prompt_ids=(1, 2), ids=(3, 4, 5),
        pieces=("So.", "\n", "Yes"), logprobs=(-0.01, -1.0, -5.0), entropies=(0.1, 1.0, 5.0),
    )  # fmt: skip
    return Answer(**{**values, **changed})


def made(rows, labels=("base", "tuned")):
    settings = {"n": 1, "seed": 0, "stages": ["Temperature(0.7)"]}
    return Comparison(rows, [SimpleNamespace(label=label) for label in labels], settings=settings)


def table_of_tokens():
    rows = [
        TokenRow(0, "", 0, "prompt", 1, "<i>", 0.5, "a", "<", True, 1.0, 2.0, 1.0, 3, -1.0, -2.0),
        TokenRow(0, "base", 1, "answer", 0, "b", 2.0, "a", "a", False, 1.0, 1.0, 0.0, None, -1.0, -1.0),
    ]
    return TokenTable(rows, "base", "tuned", ["prompt 3: <too long>"])
