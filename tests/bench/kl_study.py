"""What int8 mode costs: mean KL(float32 || int8) per token, beside llama.cpp's against the same float32 reference.

    python -m bench.kl_study [--tokens 8192] [--type-tokens 2048] [--threads 2] [--results FOLDER]

The reference is cutaway's float32 mode on the same file: weights exactly as stored, within 1e-4 of transformers in the
logits (tests/golden). llama.cpp runs with its default settings. Both models read prose and code in windows of 512
tokens; each weight type is tried on a requantised SmolLM2, or, where its blocks do not fit, on the 1B-shaped model. The
bound on the ratio is reached if all of its interval is below it, and open if the interval holds it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cutaway as ca
import numpy as np
from cutaway.bench.side_cutaway import Cutaway

from . import llama_1b, machine, texts
from .__main__ import RESULTS
from .files import TITLES, cache_folder, model_file
from .kl import divergence, mean_ratio
from .requantise import FILE_TYPES, requantised
from .summary import bootstrap, check, verdict

WINDOW, PIECE = 512, 32  # tokens read from nothing; rows of logits at a time
REACH = 1.02


def windows(path: Path, tokens: int, length: int = WINDOW) -> Iterator[tuple[str, np.ndarray]]:
    """(kind of text, ids int32 [length]), half prose, half code; each begins with BOS if the file asks for it."""
    tokenizer = ca.Tokenizer.from_file(path)
    first = tokenizer.encode("a", add_special_tokens=True)
    bos = first[: int(len(first) > len(tokenizer.encode("a")))]
    body = length - len(bos)
    for kind in texts.SOURCES:
        ids = tokenizer.encode(texts.text(kind))
        count = -(-tokens // 2 // length)
        if len(ids) < count * body:
            raise ValueError(f"the {kind} has {len(ids)} tokens, {count * body} are asked for")
        for i in range(count):
            yield kind, np.concatenate([bos, ids[i * body : (i + 1) * body]]).astype(np.int32)


def random_windows(d_vocab: int, tokens: int, length: int = 128) -> Iterator[tuple[str, np.ndarray]]:
    """Ids of a model with random weights, for which no text is likelier than another."""
    rng = np.random.default_rng(0)
    for _ in range(-(-tokens // length)):
        yield "random ids", rng.integers(0, d_vocab, length).astype(np.int32)


def measure(path: Path, found: list[tuple[str, np.ndarray]], threads: int) -> dict[str, Any]:
    """Both sides' divergence on every token of the windows: means, ratio, intervals over windows."""
    from cutaway.bench.side_llama_cpp import LlamaCpp

    exact = Cutaway(str(path), threads, compute="float32")
    ours = Cutaway(str(path), threads, compute="int8")
    theirs = LlamaCpp(str(path), threads, n_ctx=max(len(ids) for _, ids in found))
    blocks: dict[str, list[np.ndarray]] = {}
    for kind, ids in found:
        for side in (exact, ours, theirs):
            side.clear()
        rows = []
        for start in range(0, len(ids), PIECE):
            piece = ids[start : start + PIECE]
            rows.append(divergence(exact.append_all(piece), ours.append_all(piece), theirs.append_all(piece)))
        blocks.setdefault(kind, []).append(np.concatenate(rows))  # [pos, 2]
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    every = [block for kind in blocks.values() for block in kind]
    out = {"facts": {"cutaway": ours.facts(), "llama.cpp": theirs.facts()}} | summarise(every)
    if len(blocks) > 1:
        out["texts"] = {kind: summarise(of_kind) for kind, of_kind in blocks.items()}
    return out


def summarise(blocks: list[np.ndarray]) -> dict[str, Any]:
    """blocks: float64 [pos, 2] of each window (cutaway, llama.cpp)."""
    rows = np.concatenate(blocks)
    ours, theirs = rows.mean(0)
    return {
        "tokens": len(rows),
        "windows": len(blocks),
        "cutaway": float(ours),
        "cutaway interval": bootstrap(lambda r: r[:, 0].mean(), blocks),
        "llama.cpp": float(theirs),
        "llama.cpp interval": bootstrap(lambda r: r[:, 1].mean(), blocks),
        "ratio": mean_ratio(rows),
        "ratio interval": bootstrap(mean_ratio, blocks),
    }


def show(case: str, facts: dict[str, Any]) -> dict[str, Any]:
    low, high = facts["ratio interval"]
    print(
        f"{case:28} {facts['tokens']} tokens: cutaway {facts['cutaway']:.6f}, llama.cpp {facts['llama.cpp']:.6f} nats, "
        f"{facts['ratio']:.3f}x ({low:.3f} to {high:.3f})",
        flush=True,
    )
    return {"case": case} | facts


def by_type(tokens: int, threads: int) -> Iterator[dict[str, Any]]:
    """Every weight type; one that either engine does not know is said to be missing."""
    real = model_file("smollm2")
    for kind in sorted({*FILE_TYPES, *llama_1b.BLOCKS}):
        case = f"SmolLM2, {kind}" if kind in FILE_TYPES else f"1B-shaped, {kind}"
        print(case, end=" ", file=sys.stderr, flush=True)
        try:
            if kind in FILE_TYPES:
                path = requantised(real, kind, cache_folder())
                found = list(windows(path, tokens, min(WINDOW, tokens // 4)))
            else:
                path = llama_1b.cached(kind, cache_folder())
                found = list(random_windows(llama_1b.SHAPE["d_vocab"], tokens))
            yield show(case, measure(path, found, threads))
        except (ca.FormatError, RuntimeError) as err:
            print(f"{case:28} not measured: {err}", flush=True)
            yield {"case": case, "missing": str(err).replace(f"{cache_folder()}/", "")}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.kl_study", description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=8192, help="of each model (default 8192)")
    parser.add_argument("--type-tokens", type=int, default=2048, help="of each weight type; 0: none (default 2048)")
    parser.add_argument("--window", type=int, default=WINDOW, help=f"tokens of each window of text (default {WINDOW})")
    parser.add_argument("--threads", type=int, default=min(2, len(machine.physical_cores())))
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    command = f"python -m bench.kl_study --tokens {args.tokens} --type-tokens {args.type_tokens}"
    result: dict[str, Any] = {"machine": machine.describe(), "command": command, "reach": REACH}
    result["sources"] = {kind: {"from": f"{texts.ARCHIVE}/{s[0]}", "sha256": s[1]} for kind, s in texts.SOURCES.items()}
    result |= {"models": [], "types": []}
    args.results.mkdir(parents=True, exist_ok=True)

    def keep(kind: str, line: dict[str, Any]) -> None:  # what is there survives an interruption
        result[kind].append(line)
        (args.results / "kl_study.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")

    for name, title in TITLES.items():
        path = model_file(name)
        facts = show(title, measure(path, list(windows(path, args.tokens, args.window)), args.threads))
        judged = check("ratio", facts["ratio"], most=REACH, interval=facts["ratio interval"])
        print(f"  at most {REACH}: {verdict(judged)}", flush=True)
        keep("models", facts | {"reached": judged["reached"], "open": judged.get("open", False)})
    if args.type_tokens:
        for line in by_type(args.type_tokens, args.threads):
            keep("types", line)


if __name__ == "__main__":
    main()
