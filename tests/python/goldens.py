"""Reads tests/golden/prompts.json and forward_<model>.npz (made by tests/golden/make_forward_goldens.py)."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "golden"
STEP = 2.0**-15


@dataclass
class Golden:
    """What transformers computed for one prompt. The float values are exact to half a step of their grid."""

    name: str
    text: str
    ids: np.ndarray  # int32 [pos]
    argmax: np.ndarray  # int32 [pos]
    gap: np.ndarray  # float32 [pos]
    next_logprob: np.ndarray  # float64 [pos - 1]
    top_ids: np.ndarray  # int32 [pos, 64], descending logits
    top_logits: np.ndarray  # float32 [pos, 64]
    fixed_ids: np.ndarray  # int32 [64]
    fixed_logits: np.ndarray  # float32 [pos, 64]
    resid_post: dict[int, np.ndarray]  # layer -> float32 [pos, d_model]; empty for prompts over 32 tokens
    pattern: dict[int, np.ndarray]  # layer -> float32 [n_heads, query_pos, key_pos]


def prompts() -> list[dict]:
    """The entries of prompts.json: name, text, add_special_tokens, parse_special, ids {model: [...]}."""
    return json.loads((FOLDER / "prompts.json").read_text(encoding="utf-8"))


def forward_goldens(model: str) -> dict[str, Golden]:
    """Prompt name -> Golden, for "smollm2" or "gemma3"."""
    out = {}
    with np.load(FOLDER / f"forward_{model}.npz", allow_pickle=False) as npz:
        data = {k: npz[k] for k in npz.files}
    for prompt, lo, hi in zip(prompts(), data["offsets"][:-1], data["offsets"][1:], strict=True):
        name, rows = prompt["name"], slice(lo, hi)
        resid, pattern = {}, {}
        for i in data["layers"].tolist():
            key = f"{name}.blocks.{i}"
            if f"{key}.resid_post" in data:
                codes, scale = data[f"{key}.resid_post"], data[f"{key}.resid_post.scale"]
                resid[i] = (codes * scale.astype(np.float64) / 32767).astype(np.float32)
                pattern[i] = (data[f"{key}.attn.pattern"] / 65535).astype(np.float32)
        ids = data["ids"][rows]
        assert ids.tolist() == prompt["ids"][model], f"{model} {name}: prompts.json has changed, make the goldens again"
        out[name] = Golden(
            name=name,
            text=prompt["text"],
            ids=ids,
            argmax=data["argmax"][rows],
            gap=data["gap"][rows],
            next_logprob=data["next_logprob"][lo : hi - 1],
            top_ids=data["top_ids"][rows],
            top_logits=(np.cumsum(data["top_logits"][rows], 1) * STEP).astype(np.float32),
            fixed_ids=data["fixed_ids"],
            fixed_logits=(data["fixed_logits"][rows] * STEP).astype(np.float32),
            resid_post=resid,
            pattern=pattern,
        )
    return out
