"""A head kept in fewer bits: the nearest codes, nothing else changed, the same bits everywhere."""

import cutaway as ca
import numpy as np
import pytest
from test_first_hour import sentence

IDS = np.arange(3, 30, dtype=np.int32)


@pytest.fixture(scope="module", params=[("llama", False, "F16"), ("llama", True, "Q8_0"), ("gemma3", True, "F32")])
def path(request, small_model):
    family, tied, weight_type = request.param
    return small_model(family, weight_type, d_model=96, tied=tied).path


def head(model):
    """[d_vocab, d_model]"""
    return np.asarray(model.weights["unembed.W_U"]).T


@pytest.mark.parametrize(("kind", "levels"), [("Q4_0", 8), ("Q5_0", 16), ("Q8_0", 127)])
def test_codes_are_the_nearest(path, kind, levels):
    plain = ca.load(path)
    coded = ca.load(path, unembed_type=kind)
    if plain.weights.info()["unembed.W_U"]["type"] == kind:  # as it is stored already
        assert np.array_equal(head(plain), head(coded))
        return
    x = head(plain).reshape(-1, 32).astype(np.float64)
    y = head(coded).reshape(-1, 32).astype(np.float64)
    # Block by block not farther off than by the plain scale, which takes the largest number to the end of the range; but
    # for the scale's own rounding to float16.
    largest = np.take_along_axis(x, np.abs(x).argmax(1)[:, None], 1)
    scale = np.abs(largest) / 127 if kind == "Q8_0" else largest / -levels
    codes = np.clip(
        np.round(np.divide(x, scale, out=np.zeros_like(x), where=scale != 0)), -levels, levels - (levels < 127)
    )
    off, plainly = np.linalg.norm(x - y, axis=1), np.linalg.norm(x - codes * scale, axis=1)
    assert (off <= plainly + 2.0**-11 * np.linalg.norm(x, axis=1)).all()
    assert not np.array_equal(x, y)
    # Nothing but the head.
    for name in plain.weights:
        if name != "unembed.W_U":
            assert np.array_equal(plain.weights[name], coded.weights[name]), name
    assert plain.info()["compute"] == coded.info()["compute"]


@pytest.mark.parametrize("compute", ["int8", "float32"])
def test_the_same_bits_in_every_instruction_set(path, compute):
    want = None
    for isa in ca.isas():
        got = ca.load(path, compute=compute, isa=isa, unembed_type="Q5_0", threads=2)(IDS)
        want = got if want is None else want
        assert got.tobytes() == want.tobytes(), isa
    assert not np.array_equal(want, ca.load(path, compute=compute)(IDS))


def test_wrong_types_are_refused(path, small_model):
    odd = small_model("llama").path  # rows of 84
    said = "unembed_type is 'Q4_0', whose blocks hold 32 weights; the rows of the head have 84"
    assert sentence(ca.load, odd, unembed_type="Q4_0") == said
    assert sentence(ca.load, path, unembed_type="Q4_K") == "unembed_type is 'Q4_K', expected 'Q4_0', 'Q5_0', 'Q8_0'"
    assert sentence(ca.load, path, unembed_type=4) == "unembed_type must be a str such as 'Q5_0', got 4."
