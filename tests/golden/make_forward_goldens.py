"""Writes forward_<model>.npz: what transformers computes, in float32, from the very GGUF files that cutaway reads.

    python tests/golden/make_forward_goldens.py smollm2.gguf gemma3.gguf

Needs torch, transformers and gguf; the tests that read the result need none of them (tests/python/goldens.py reads it).
Every array runs over all prompts of prompts.json, one after another; `offsets` [n_prompts + 1] says where each begins.

    ids, argmax       int32   [total]        the tokens, and the arg-max of each row of logits (ties: the lower id)
    gap               float32 [total]        largest logit minus the second largest
    next_logprob      float64 [total]        log-probability of the prompt's next token (float64; NaN at its end)
    top_ids           int32   [total, 64]    the 64 largest logits, descending
    top_logits        int32   [total, 64]    in steps of 2^-15: the first, then differences (they compress)
    fixed_ids         int32   [64]           evenly spread over the vocabulary
    fixed_logits      int32   [total, 64]    in steps of 2^-15
    layers            int32   [3]            the first, a middle, the last; and for each prompt up to 32 tokens:
    <prompt>.blocks.<i>.resid_post           int16 [pos, d_model] in 1/32767 of
    <prompt>.blocks.<i>.resid_post.scale     float32 [pos, 1], the largest absolute value of each row
    <prompt>.blocks.<i>.attn.pattern         uint16 [n_heads, query_pos, key_pos] in 1/65535
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
STEP = 2.0**-15
TOP = 64
SHORT = 32


def load(path):
    torch.set_num_threads(2)
    return AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()


def forward(model, ids):
    """Logits [pos, d_vocab], resid_post of every layer (by hooks: the last of transformers' hidden states has been
    through the final norm) and the attention patterns of every layer."""
    resid = []
    hooks = [
        layer.register_forward_hook(lambda module, args, out: resid.append(out[0] if isinstance(out, tuple) else out))
        for layer in model.model.layers
    ]
    with torch.inference_mode():
        out = model(torch.tensor([ids]), output_attentions=len(ids) <= SHORT, use_cache=False)
    for hook in hooks:
        hook.remove()
    patterns = [a[0].numpy() for a in out.attentions] if len(ids) <= SHORT else []
    return out.logits[0].numpy(), [r[0].numpy() for r in resid], patterns


def logits_row(row):
    """One row of logits: ids of the 64 largest, descending, ties by id."""
    best = np.argpartition(-row, TOP)[: 2 * TOP]
    best = np.flatnonzero(row >= np.sort(row[best])[-TOP])
    return best[np.lexsort((best, -row[best]))][:TOP]


def log_softmax(row):
    wide = row.astype(np.float64)
    wide -= wide.max()
    return wide - np.log(np.exp(wide).sum())


def grid(x):
    return np.rint(x.astype(np.float64) / STEP).astype(np.int32)


def goldens(model, prompts):
    n_layers, d_vocab = model.config.num_hidden_layers, model.config.vocab_size
    layers = [0, n_layers // 2, n_layers - 1]
    fixed = np.linspace(0, d_vocab - 1, TOP).astype(np.int32)
    rows = {k: [] for k in ("ids", "argmax", "gap", "next_logprob", "top_ids", "top_logits", "fixed_logits")}
    arrays = {"layers": np.array(layers, np.int32), "fixed_ids": fixed}
    for name, ids in prompts:
        logits, resid, patterns = forward(model, ids)
        for pos, row in enumerate(logits):
            top = logits_row(row)
            on_grid = grid(row[top])
            following = log_softmax(row)[ids[pos + 1]] if pos + 1 < len(ids) else np.nan
            rows["ids"].append(ids[pos])
            rows["argmax"].append(np.argmax(row))
            rows["gap"].append(row[top[0]] - row[top[1]])
            rows["next_logprob"].append(following)
            rows["top_ids"].append(top)
            rows["top_logits"].append(np.concatenate([on_grid[:1], np.diff(on_grid)]))
            rows["fixed_logits"].append(grid(row[fixed]))
        if len(ids) <= SHORT:
            for i in layers:
                scale = np.abs(resid[i]).max(-1, keepdims=True)
                arrays[f"{name}.blocks.{i}.resid_post"] = np.rint(resid[i] / scale * 32767).astype(np.int16)
                arrays[f"{name}.blocks.{i}.resid_post.scale"] = scale
                arrays[f"{name}.blocks.{i}.attn.pattern"] = np.rint(patterns[i] * 65535).astype(np.uint16)
        print(f"{name}: {len(ids)} tokens, largest |logit| {np.abs(logits).max():.2f}", flush=True)
    dtypes = {"gap": np.float32, "next_logprob": np.float64}
    arrays |= {k: np.array(v, dtypes.get(k, np.int32)) for k, v in rows.items()}
    arrays["offsets"] = np.cumsum([0] + [len(ids) for _, ids in prompts]).astype(np.int32)
    return arrays


def main(paths):
    prompts = json.loads((HERE / "prompts.json").read_text(encoding="utf-8"))
    print("transformers", transformers.__version__, "torch", torch.__version__)
    for name, path in paths.items():
        target = HERE / f"forward_{name}.npz"
        np.savez_compressed(target, **goldens(load(path), [(p["name"], p["ids"][name]) for p in prompts]))
        print(target.name, target.stat().st_size, "bytes")


if __name__ == "__main__":
    main(dict(zip(("smollm2", "gemma3"), map(Path, sys.argv[1:3]), strict=True)))
