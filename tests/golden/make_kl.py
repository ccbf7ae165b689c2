"""Writes kl_llama_cpp.json: how far llama.cpp's logits are from the float32 reference on the prompts of prompts.json.

    python tests/golden/make_kl.py smollm2.gguf gemma3.gguf

KL(float32 || llama.cpp) in nats per token, in float64 over the whole vocabulary, the mean over all positions; float32
is transformers on the de-quantised file. llama.cpp runs with its default settings (repacked weights, float16 KV cache),
one prompt at a time. Needs torch, transformers and llama-cpp-python.
"""

import ctypes
import json
import platform
import sys
from pathlib import Path

import llama_cpp
import numpy as np
import torch
import transformers
from make_forward_goldens import load, log_softmax

HERE = Path(__file__).parent


@llama_cpp.llama_log_callback
def silent(level, text, user_data):
    """Kept at module level: llama.cpp calls it for as long as the process lives."""


class LlamaCpp:
    """llama.cpp's low-level interface, logits for every position."""

    def __init__(self, path, n_ctx=1024):
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = n_ctx
        params.n_threads = params.n_threads_batch = 2
        self.context = llama_cpp.llama_init_from_model(self.model, params)

    def logits(self, ids):
        """ids -> float32 [pos, d_vocab]"""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, i, 1, 0, 1
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise SystemExit(f"llama.cpp could not run {len(ids)} tokens")
        rows = llama_cpp.llama_get_logits(self.context)
        out = np.ctypeslib.as_array(rows, (len(ids), self.n_vocab)).copy()
        llama_cpp.llama_batch_free(batch)
        return out


def kl(p_logits, q_logits):
    """float32 [pos, d_vocab] twice -> float64 [pos]"""
    out = []
    for p, q in zip(p_logits, q_logits, strict=True):  # a row at a time: the whole would be gigabytes
        p, q = log_softmax(p), log_softmax(q)
        out.append((np.exp(p) * (p - q)).sum())
    return np.array(out)


def measure(path, prompts):
    reference, peer = load(path), LlamaCpp(path)
    rows = {}
    for name, ids in prompts:
        with torch.inference_mode():
            expected = reference(torch.tensor([ids]), use_cache=False).logits[0].numpy()
        got = peer.logits(ids)
        rows[name] = {
            "tokens": len(ids),
            "kl": float(kl(expected, got).mean()),
            "same_argmax": float((expected.argmax(1) == got.argmax(1)).mean()),
        }
        print(name, rows[name], flush=True)
    tokens = np.array([r["tokens"] for r in rows.values()])
    mean = {key: float(np.average([r[key] for r in rows.values()], weights=tokens)) for key in ("kl", "same_argmax")}
    return {"tokens": int(tokens.sum())} | mean | {"prompts": rows}


def main(paths):
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    prompts = json.loads((HERE / "prompts.json").read_text(encoding="utf-8"))
    result = {
        "what": "mean KL(float32 || llama.cpp) in nats per token over the positions of tests/golden/prompts.json",
        "command": "python tests/golden/make_kl.py smollm2.gguf gemma3.gguf",
        "versions": {
            "llama-cpp-python": llama_cpp.__version__,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "machine": platform.machine(),
        "llama.cpp": llama_cpp.llama_print_system_info().decode().strip(),
        "models": {},
    }
    for model, path in paths.items():
        result["models"][model] = measure(path, [(p["name"], p["ids"][model]) for p in prompts])
    (HERE / "kl_llama_cpp.json").write_text(json.dumps(result, indent=1) + "\n")
    print({model: m["kl"] for model, m in result["models"].items()})


if __name__ == "__main__":
    main(dict(zip(("smollm2", "gemma3"), map(Path, sys.argv[1:3]), strict=True)))
