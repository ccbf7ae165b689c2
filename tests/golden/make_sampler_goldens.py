"""Writes sampler.json: what transformers' logits processors keep and with which probabilities, on small random rows.

Usage: python tests/golden/make_sampler_goldens.py      (needs torch and transformers; the tests need neither)
"""

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers.generation import logits_process as hf

D_VOCAB, ROWS = 61, 4
SEEN = [3, 3, 17, 60, 0, 3]
# Chains as cutaway spells them. Settings stay away from exact ties, where each library has its own rule.
CHAINS = [
    [["temperature", 0.7]],
    [["top_k", 5]],
    [["top_p", 0.9]],
    [["top_p", 0.05]],
    [["min_p", 0.1]],
    [["repetition_penalty", 1.3]],
    [["repetition_penalty", 0.8]],
    [["repetition_penalty", 1.2], ["temperature", 0.8], ["top_k", 20], ["top_p", 0.95], ["min_p", 0.02]],
    [["top_p", 0.8], ["temperature", 1.7]],
]
PROCESSORS = {
    "temperature": lambda t: hf.TemperatureLogitsWarper(t),
    "top_k": lambda k: hf.TopKLogitsWarper(k),
    "top_p": lambda p: hf.TopPLogitsWarper(p),
    "min_p": lambda p: hf.MinPLogitsWarper(p),
    "repetition_penalty": lambda p: hf.RepetitionPenaltyLogitsProcessor(p),
}


def main() -> None:
    rng = np.random.default_rng(20)
    rows = np.round(rng.standard_normal((ROWS, D_VOCAB)) * 2.5, 4)
    cases = []
    for row in rows:
        for chain in CHAINS:
            scores = torch.tensor(row[None], dtype=torch.float64)
            for name, value in chain:
                scores = PROCESSORS[name](value)(torch.tensor([SEEN]), scores)
            probs = torch.softmax(scores, -1)[0].tolist()
            cases.append({"chain": chain, "logits": row.tolist(), "probs": [float(f"{p:.10g}") for p in probs]})
    out = {"transformers": transformers.__version__, "seen": SEEN, "cases": cases}
    Path(__file__).with_name("sampler.json").write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
