"""What int8 mode costs: mean KL(float32 || int8) per token over tests/golden/prompts.json, beside llama.cpp's own.

    python tests/bench/kl_int8.py [--output FILE.json]

llama.cpp's figure on the same ids was measured once by tests/golden/make_kl.py and is stored.
"""

import argparse
import json
from pathlib import Path

import cutaway as ca
import numpy as np
from speed_floor import command, locate, machine

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """float64 [pos, d_vocab]"""
    x = logits.astype(np.float64)
    x -= x.max(1, keepdims=True)
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def mean_kl(path: Path, prompts: list[list[int]]) -> tuple[float, int]:
    """Nats per token, and the number of tokens."""
    exact, fast = ca.load(path, compute="float32"), ca.load(path, compute="int8")
    total, count = 0.0, 0
    for ids in prompts:
        p, q = log_softmax(exact(ids)), log_softmax(fast(ids))
        total += float((np.exp(p) * (p - q)).sum())
        count += len(ids)
    return total / count, count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    prompts = json.loads((GOLDEN / "prompts.json").read_text("utf-8"))
    peer = json.loads((GOLDEN / "kl_llama_cpp.json").read_text("utf-8"))["models"]
    result = {"machine": machine(), "command": command(), "rows": []}
    for name in ("smollm2", "gemma3"):
        ours, tokens = mean_kl(locate(name), [p["ids"][name] for p in prompts])
        theirs = peer[name]["kl"]
        row = {"model": name, "tokens": tokens, "cutaway": ours, "llama.cpp": theirs, "ratio": ours / theirs}
        result["rows"].append(row)
        print(f"{name:8} {tokens} tokens: cutaway int8 {ours:.6f}, llama.cpp {theirs:.6f} nats, {row['ratio']:.3f}x")
    if args.output:
        args.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
