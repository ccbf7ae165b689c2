"""The speed floor: prefill 512 and decode 64 of both models beside llama.cpp on the same file and ids, interleaved.

    python tests/bench/speed_floor.py [--threads 2] [--rounds 5] [--output FILE.json]

Prints the median of each side, its spread and the ratio; nothing is asserted. The identity gate comes first: a round is
measured only if both sides give nearly the same logits (correlation of the last row above 0.99).
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import cutaway as ca
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
PREFILL, DECODE = 512, 64
MODELS = {"smollm2": "smollm2-135m-instruct", "gemma3": "gemma3-270m"}


def locate(name: str) -> Path:
    folder = os.environ.get("CUTAWAY_TEST_MODELS")
    if folder and (Path(folder) / f"{name}.gguf").is_file():
        return Path(folder) / f"{name}.gguf"
    from cutaway.catalogue import resolve

    return Path(resolve(MODELS[name]))


class Cutaway:
    """The same two calls as the peer's."""

    def __init__(self, path: Path, threads: int):
        self.model = ca.load(path, threads=threads)
        self.clear()

    def clear(self) -> None:
        self.session = self.model.session()

    def append(self, ids: np.ndarray) -> np.ndarray:
        return self.session.append(ids)


def prefill(side, ids: np.ndarray) -> float:
    side.clear()
    began = time.perf_counter()
    side.append(ids)
    return len(ids) / (time.perf_counter() - began)


def decode(side, ids: np.ndarray) -> float:
    side.clear()
    side.append(ids[:1])
    began = time.perf_counter()
    for i in range(DECODE):
        side.append(ids[i + 1 : i + 2])
    return DECODE / (time.perf_counter() - began)


def command() -> str:
    """What was run, without the place its result went to, which is this machine's own."""
    words = sys.argv[1:]
    if "--output" in words:
        at = words.index("--output")
        words = words[:at] + words[at + 2 :]
    return " ".join([f"tests/bench/{Path(sys.argv[0]).name}", *words])


def machine() -> dict:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "isa": ca.isas()[-1], "commit": commit}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    try:
        from peer_llama_cpp import LlamaCpp
    except ImportError:
        sys.exit(
            "llama-cpp-python is missing: pip install -r tests/bench/requirements.txt (it builds for some minutes)"
        )

    ids = (np.arange(PREFILL) * 7919 % 30000 + 100).astype(np.int32)
    result = {"machine": machine(), "threads": args.threads, "command": command(), "rows": []}
    print(f"{result['machine']}\nllama.cpp: {LlamaCpp.system_info()}")
    for name in MODELS:
        path = locate(name)
        sides = {"cutaway": Cutaway(path, args.threads), "llama.cpp": LlamaCpp(path, args.threads)}
        last = {}
        for label, side in sides.items():
            side.clear()
            last[label] = side.append(ids)
        gate = float(np.corrcoef(last["cutaway"], last["llama.cpp"])[0, 1])
        if gate < 0.99:
            sys.exit(f"{name}: the two sides disagree (correlation {gate:.4f}); nothing is measured")
        for work, measure in (("prefill 512", prefill), (f"decode {DECODE}", decode)):
            runs = {label: [] for label in sides}
            for _ in range(args.rounds):
                for label, side in sides.items():
                    runs[label].append(measure(side, ids))
            row = {"model": name, "work": work, "gate": round(gate, 5)}
            for label, values in runs.items():
                row[label] = round(statistics.median(values), 1)
                row[f"{label} spread"] = [round(min(values), 1), round(max(values), 1)]
            row["ratio"] = round(row["cutaway"] / row["llama.cpp"], 3)
            result["rows"].append(row)
            print(f"{name:8} {work:12} cutaway {row['cutaway']:8.1f} {row['cutaway spread']}  llama.cpp "
                  f"{row['llama.cpp']:8.1f} {row['llama.cpp spread']} tok/s  ratio {row['ratio']:.2f}x")  # fmt: skip
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
