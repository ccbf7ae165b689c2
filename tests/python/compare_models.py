"""Small models for tests of comparisons: two of one vocabulary, one of another, and templates for them."""

from __future__ import annotations

from pathlib import Path

import cutaway as ca
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
    return {name: ca.load(path) for name, path in files.items()}
