"""Writes forward_small.npz: transformers' float32 logits of random 2-layer models, one for each turn a config can take.

    python tests/golden/make_small_goldens.py

Needs torch and transformers. The models are tests/python/make_models.py's, written as Hugging Face folders.
`ids` int32 [pos] is what all of them read; then one float32 [pos, d_vocab] for each variant of VARIANTS.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "python"), str(HERE.parent.parent / "python")]
from make_models import make_model  # noqa: E402
from small_variants import IDS, SEED, VARIANTS  # noqa: E402


def main():
    arrays = {"ids": IDS}
    for name, (family, weight_type, sizes) in VARIANTS.items():
        with tempfile.TemporaryDirectory() as folder:
            make_model(folder, family, weight_type, SEED, **sizes)
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
            with torch.inference_mode():
                arrays[name] = model.eval()(torch.tensor(IDS[None].astype(np.int64))).logits[0].numpy()
        print(name, arrays[name].shape, float(np.abs(arrays[name]).max()))
    np.savez_compressed(HERE / "forward_small.npz", **arrays)


if __name__ == "__main__":
    main()
