"""The linear layers of the engine have the bits of their NumPy twins: every weight type, both modes, every instruction
set; also where the scales of blocks are infinite or NaN."""

import cutaway as ca
import numpy as np
import pytest
from cutaway.reference import blocks, gguf_file
from cutaway.reference.int8 import linear_int8
from cutaway.reference.linear import linear_in_order
from make_models import WEIGHT_TYPES

IDS = np.array([3, 272, 41, 7, 100])
LAYERS = {"mlp.pre": "ffn_gate", "mlp.pre_linear": "ffn_up"}


def bits(x: np.ndarray) -> np.ndarray:
    """Every NaN as one pattern."""
    return np.where(np.isnan(x), np.float32(np.nan), x).view(np.uint32)


@pytest.mark.parametrize("compute", ["float32", "int8"])
@pytest.mark.parametrize("weight_type", WEIGHT_TYPES)
def test_linear_layers_have_the_twin_s_bits(weight_type, compute, small_model):
    small = small_model("llama", weight_type, compute)
    tensors = gguf_file.read(small.path)[1]
    for isa in ca.isas():
        model = ca.load(small.path, isa=isa, compute=compute)
        _, trace = model.run_with_cache(IDS, "blocks.1.*")
        x = trace["blocks.1.ln2.normalized"]  # [pos, d_model]
        for name, tensor in LAYERS.items():
            stored = tensors[f"blk.1.{tensor}.weight"]
            assert stored.type == weight_type
            if compute == "int8" and weight_type in blocks.QUANTISED:
                expected = linear_int8(x, stored.raw.reshape(stored.shape[0], -1), weight_type)
            else:
                w = blocks.decode(stored.raw, weight_type).reshape(stored.shape)
                expected = linear_in_order(x, w.T)
            np.testing.assert_array_equal(bits(trace[f"blocks.1.{name}"]), bits(expected), err_msg=f"{isa} {name}")


@pytest.mark.parametrize("weight_type", blocks.QUANTISED)
def test_any_bytes_decode_as_the_twin_decodes_them(weight_type, small_model, tmp_path):
    """Whatever a block holds, infinite and NaN scales included: weights are shown, not judged."""
    small = small_model("llama", weight_type)
    name = "blk.1.ffn_down.weight"  # [d_model, d_mlp]
    stored = gguf_file.read(small.path)[1][name]
    raw = np.random.default_rng(3).integers(0, 256, stored.raw.size, dtype=np.uint8)
    file = small.path.read_bytes()
    at = file.index(stored.raw.tobytes())
    path = tmp_path / "m.gguf"
    path.write_bytes(file[:at] + raw.tobytes() + file[at + raw.size :])
    with np.errstate(all="ignore"):
        expected = blocks.decode(raw, weight_type).reshape(stored.shape).T
    assert not np.isfinite(expected).all()
    for isa in ca.isas():
        got = ca.load(path, isa=isa).weights["blocks.1.mlp.W_out"]
        np.testing.assert_array_equal(bits(got), bits(expected), err_msg=isa)
