"""The twins of the forward pass against the formulas, written out plainly in float64."""

import ctypes
import ctypes.util
import math

import numpy as np
import pytest
from cutaway.reference.attention import attention_scores, attention_values, soft_cap
from cutaway.reference.embed import embed, unembed
from cutaway.reference.mlp import gate, gelu_tanh, silu
from cutaway.reference.norms import lane_tree_sum, rms_norm, rms_scale, sum_of_squares
from cutaway.reference.rope import cos_sin, inverse_frequencies, llama3_frequencies, rotate
from cutaway.reference.softmax import log_softmax, softmax


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("n", [1, 7, 16, 111, 576])
def test_rms_norm(n):
    x, w = normal(3, n), normal(n, seed=1)
    wide = x.astype(np.float64)
    expected = wide / np.sqrt((wide**2).mean(-1, keepdims=True) + 1e-5) * w
    np.testing.assert_allclose(rms_norm(x, w, 1e-5), expected, rtol=1e-6)
    assert rms_scale(x, 1e-5).shape == (3, 1)
    assert rms_norm(x, w, 1e-5).dtype == np.float32


def test_lanes_and_tree_in_their_order():
    name = ctypes.util.find_library("m")
    if name is None:
        pytest.skip("no C mathematics library is found to compare with")
    fma = ctypes.CDLL(name).fmaf
    fma.restype, fma.argtypes = ctypes.c_float, [ctypes.c_float] * 3
    x = normal(53)
    lanes = [np.float32(0)] * 16
    for i, value in enumerate(x):
        lanes[i % 16] = np.float32(fma(value, value, lanes[i % 16]))
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [lanes[i] + lanes[i + half] for i in range(half)]
    assert sum_of_squares(x) == lanes[0]


def test_tree_adds_opposite_halves():
    lanes = np.zeros(16, np.float32)
    lanes[[0, 8, 1]] = [1e8, -1e8, 1]  # lanes 0 and 8 meet first: nothing of the 1 is lost
    assert lane_tree_sum(lanes) == 1
    lanes[[0, 8, 1]] = [1e8, 1, -1e8]
    assert lane_tree_sum(lanes) == 0


def test_rope_at_position_zero_and_angles():
    cos, sin = cos_sin(np.array([0, 3]), inverse_frequencies(4, 100.0))
    np.testing.assert_array_equal(cos[0], [1, 1])
    np.testing.assert_array_equal(sin[0], [0, 0])
    np.testing.assert_allclose(sin[1], [math.sin(3), math.sin(0.3)], rtol=1e-6)


@pytest.mark.parametrize("layout", ["halves", "pairs"])
def test_rope_turns_pairs_as_complex_numbers(layout):
    x = normal(5, 2, 8)
    inv_freq = inverse_frequencies(6, 10000.0)  # partial: dimensions 6 and 7 stay
    got = rotate(x, *cos_sin(np.arange(5), inv_freq), layout)
    first, second = ([0, 1, 2], [3, 4, 5]) if layout == "halves" else ([0, 2, 4], [1, 3, 5])
    turned = (x[..., first] + 1j * x[..., second]) * np.exp(1j * np.arange(5)[:, None, None] * inv_freq)
    np.testing.assert_allclose(got[..., first], turned.real, atol=1e-6)
    np.testing.assert_allclose(got[..., second], turned.imag, atol=1e-6)
    np.testing.assert_array_equal(got[..., 6:], x[..., 6:])


def test_rope_products_depend_on_distance_alone():
    q, k = normal(1, 1, 16), normal(1, 1, 16, seed=1)
    inv_freq = inverse_frequencies(16, 10000.0)

    def product(m: int, n: int) -> float:
        a, b = (rotate(x, *cos_sin(np.array([pos]), inv_freq)) for x, pos in ((q, m), (k, n)))
        return float((a * b).sum())

    assert product(9, 4) == pytest.approx(product(105, 100), abs=1e-4)
    assert product(9, 4) != pytest.approx(product(9, 5), abs=1e-4)


def test_rope_layout_is_checked():
    with pytest.raises(ValueError, match="'thirds', expected 'halves' or 'pairs'"):
        rotate(normal(1, 1, 4), *cos_sin(np.arange(1), inverse_frequencies(4, 1e4)), "thirds")


def test_linear_and_llama3_scaling():
    plain = inverse_frequencies(128, 500000.0)
    np.testing.assert_array_equal(inverse_frequencies(128, 500000.0, 4.0), plain / 4)
    scaled = llama3_frequencies(plain, 8.0, 1.0, 4.0, 8192)
    wave = 2 * np.pi / plain
    np.testing.assert_array_equal(scaled[wave < 8192 / 4], plain[wave < 8192 / 4])
    np.testing.assert_allclose(scaled[wave > 8192], plain[wave > 8192] / 8, rtol=1e-15)
    between = (wave > 8192 / 4) & (wave < 8192)
    assert between.any() and ((scaled < plain) & (scaled > plain / 8))[between].all()


@pytest.mark.parametrize("window", [None, 1, 3])
@pytest.mark.parametrize("cap", [None, 1.5])
@pytest.mark.parametrize("n_past", [0, 4])
def test_attention_by_loops(window, cap, n_past):
    n_new, n_heads, n_kv_heads, d_head = 5, 6, 2, 7
    q = normal(n_new, n_heads, d_head)
    k, v = (normal(n_past + n_new, n_kv_heads, d_head, seed=s) for s in (1, 2))
    scores = attention_scores(q, k, 0.3, window, cap)
    pattern = softmax(scores)
    z = attention_values(pattern, v)
    assert scores.shape == pattern.shape == (n_heads, n_new, n_past + n_new)
    for h in range(n_heads):
        for i in range(n_new):
            pos = n_past + i
            seen = range(0 if window is None else max(0, pos - window + 1), pos + 1)
            row = {j: 0.3 * float(q[i, h].astype(np.float64) @ k[j, h // 3]) for j in seen}
            row = row if cap is None else {j: cap * math.tanh(s / cap) for j, s in row.items()}
            total = sum(math.exp(s) for s in row.values())
            expected = sum(math.exp(s) / total * v[j, h // 3].astype(np.float64) for j, s in row.items())
            np.testing.assert_allclose(z[i, h], expected, atol=1e-5)
            assert set(np.flatnonzero(pattern[h, i])) == set(seen)
            assert (scores[h, i, [j for j in range(n_past + n_new) if j not in seen]] == -np.inf).all()
    np.testing.assert_allclose(pattern.sum(-1), 1, atol=1e-6)


def test_activations():
    x = np.linspace(-12, 12, 97, dtype=np.float32)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(silu(x), wide / (1 + np.exp(-wide)), rtol=1e-6)
    inner = math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)
    np.testing.assert_allclose(gelu_tanh(x), 0.5 * wide * (1 + np.tanh(inner)), rtol=1e-5, atol=1e-6)
    erf_form = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in wide]
    np.testing.assert_allclose(gelu_tanh(x), erf_form, atol=1e-3)
    assert silu(np.float32([-1000, 1000])).tolist() == [0, 1000]
    np.testing.assert_array_equal(gate(x, x, "silu"), silu(x) * x)


def test_softmax_of_large_and_masked_scores():
    x = np.float32([[1000, 999, -np.inf], [-1000, -np.inf, -1000]])
    e = math.exp(-1)
    np.testing.assert_allclose(softmax(x), [[1 / (1 + e), e / (1 + e), 0], [0.5, 0, 0.5]], rtol=1e-6)
    assert softmax(x)[0, 2] == 0
    np.testing.assert_allclose(log_softmax(x[:1, :2]), [[-math.log(1 + e), -1 - math.log(1 + e)]], rtol=1e-12)


def test_embed_and_unembed():
    w_e = normal(9, 4)
    np.testing.assert_array_equal(embed(np.array([8, 0, 8]), w_e, 2.0), 2 * w_e[[8, 0, 8]])
    logits = unembed(normal(2, 4), w_e.T, 0.5)
    assert logits.shape == (2, 9) and np.abs(logits).max() < 0.5
    np.testing.assert_array_equal(soft_cap(w_e, None), w_e)
    np.testing.assert_allclose(logits, 0.5 * np.tanh(unembed(normal(2, 4), w_e.T) / 0.5), rtol=1e-6)
