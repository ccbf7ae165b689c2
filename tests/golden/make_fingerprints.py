"""Writes python/cutaway/data/fingerprints.json, which `cutaway verify` and tests recompute.

    python tests/golden/make_fingerprints.py SMOLLM2.gguf GEMMA3.gguf

tests/golden/fingerprints.json is a link to it: the file must be in the package, to be recomputed where there is no
repository. Computed with the scalar instruction set and one thread, the plainest there is.
"""

import json
import sys
from pathlib import Path

import cutaway as ca
from cutaway.cache import sha256_of
from cutaway.verify import fingerprint

ROOT = Path(__file__).resolve().parents[2]
MODELS = {"smollm2": "smollm2-135m-instruct", "gemma3": "gemma3-270m"}
SHORT, LONG = 40, 100  # every third prompt of up to 40 tokens in both modes; the first of 100 and more in int8


def main() -> None:
    prompts = json.loads((ROOT / "tests/golden/prompts.json").read_text("utf-8"))
    out = {}
    for short, path in zip(MODELS, sys.argv[1:], strict=True):
        ids = [p["ids"][short] for p in prompts]
        chosen = [i for i in ids if len(i) <= SHORT][::3]
        entries = []
        for compute in ("int8", "float32"):
            model = ca.load(path, compute=compute, isa="scalar", threads=1)
            longer = [next(i for i in ids if len(i) >= LONG)[:LONG]] if compute == "int8" else []
            for one in chosen + longer:
                entries.append({"prompt_ids": one, "compute": compute, "fingerprint": fingerprint(model, one)})
                print(short, compute, len(one), entries[-1]["fingerprint"], flush=True)
        out[MODELS[short]] = {"sha256": sha256_of(Path(path)), "entries": entries}
    text = json.dumps(out, indent=1).replace("\n     ", " ").replace("\n    ]", "]")
    (ROOT / "python/cutaway/data/fingerprints.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
