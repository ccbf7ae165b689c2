"""The exact decode of stored blocks, fused multiply-add and the int8 products of the reference."""

import ctypes
import ctypes.util
import math

import numpy as np
import pytest
from cutaway.reference import blocks
from cutaway.reference.fma import fma
from cutaway.reference.int8 import linear_int8, quantise
from cutaway.reference.linear import linear_in_order

# offsets of the float16 numbers of a block; MXFP4 has one byte, the exponent
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [],
}  # fmt: skip
EXTREMES = [0.0, -0.0, 2.0**-24, -(2.0**-24), 6.1e-5, 2.0**-14, 1.0, -1.0, 0.3333, 65504.0, -65504.0]


@pytest.fixture(autouse=True)
def overflow_is_no_warning():
    with np.errstate(over="ignore", invalid="ignore"):
        yield


def bits(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x, np.float32).view(np.uint32)


def random_raw(kind: str, n_blocks: int, seed: int, scales: list[float] | None = None) -> np.ndarray:
    """uint8 [n_blocks, bytes]: random codes, finite scales near 0.01 or out of the given ones."""
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 256, (n_blocks, blocks.TYPES[kind][2]), dtype=np.uint8)
    for offset in HALVES.get(kind, []):
        values = rng.normal(0, 0.01, n_blocks) if scales is None else rng.choice(scales, n_blocks)
        raw[:, offset : offset + 2] = values.astype("<f2").view(np.uint8).reshape(-1, 2)
    if kind == "MXFP4":
        raw[:, 0] = rng.integers(119, 124, n_blocks) if scales is None else rng.choice([0, 1, 2, 3, 254, 255], n_blocks)
    return raw


def libm_fma():
    name = ctypes.util.find_library("m")
    if name is None:
        pytest.skip("no C mathematics library is found to compare with")
    f = ctypes.CDLL(name).fmaf
    f.restype, f.argtypes = ctypes.c_float, [ctypes.c_float] * 3
    return f


def test_type_table():
    gguf = pytest.importorskip("gguf", reason="the gguf package is the reference of block sizes")
    known = {t.name: (int(t), *size) for t, size in gguf.GGML_QUANT_SIZES.items()}
    for name, entry in blocks.TYPES.items():
        if name in known:  # an older gguf knows fewer types
            assert entry == known[name]
    assert set(blocks.DECODED) <= set(known)


@pytest.mark.parametrize("kind", blocks.DECODED)
def test_decode_is_bit_equal_to_gguf(kind):
    gguf = pytest.importorskip("gguf", reason="the gguf package is the reference of decoding")
    number = gguf.GGMLQuantizationType[kind]
    for scales in (None, EXTREMES):
        raw = random_raw(kind, 333, 5, scales)
        if kind in ("F16", "F32", "BF16"):  # random bytes would hold NaN
            values = np.random.default_rng(6).normal(0, 1, 333).astype(np.float32)
            values[: len(EXTREMES)] = EXTREMES
            raw = {"F32": values, "F16": values.astype("<f2"), "BF16": values.view("<u4") >> 16}[kind]
            raw = raw.astype("<u2").view(np.uint8) if kind == "BF16" else raw.view(np.uint8)
            raw = raw.reshape(333, -1)
        with np.errstate(all="ignore"):
            expected = gguf.quants.dequantize(raw, number)
        got = blocks.decode(raw.reshape(-1), kind)
        np.testing.assert_array_equal(bits(got), bits(expected).reshape(-1))


@pytest.mark.parametrize("kind", blocks.QUANTISED)
def test_decode_of_any_bytes_is_gguf_s(kind):
    """Scales that are infinities and NaN too: the same infinities at the same places, a NaN where there is a NaN."""
    gguf = pytest.importorskip("gguf", reason="the gguf package is the reference of decoding")
    raw = np.random.default_rng(7).integers(0, 256, (1000, blocks.TYPES[kind][2]), dtype=np.uint8)
    for i, offset in enumerate(HALVES[kind]):
        raw[i::7, offset : offset + 2] = np.frombuffer(np.array([np.inf, -np.inf], "<f2"), np.uint8).reshape(2, 2)[i]
    with np.errstate(all="ignore"):
        expected = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[kind]).reshape(-1)
    got = blocks.decode(raw.reshape(-1), kind)
    nan = np.isnan(expected)
    assert np.isinf(expected).any() and nan.any() == (kind != "MXFP4")
    np.testing.assert_array_equal(np.isnan(got), nan)
    np.testing.assert_array_equal(bits(got)[~nan], bits(expected)[~nan])


def test_decode_by_hand():
    raw = np.zeros(20, np.uint8)
    raw[:4] = np.array([0.5, -1.0], "<f2").view(np.uint8)
    raw[4], raw[19] = 0x21, 0xF0  # weights 0 and 16 are 1 and 2; weights 15 and 31 are 0 and 15
    w = blocks.decode(raw, "Q4_1")
    assert (w[0], w[16], w[15], w[31], w[1]) == (-0.5, 0.0, -1.0, 6.5, -1.0)


def test_code_books_by_hand():
    raw = np.zeros(17, np.uint8)
    raw[0], raw[1] = 127, 0xF5  # 2^-1; weight 0 is E2M1's 3, weight 16 its -6
    w = blocks.decode(raw, "MXFP4")
    assert (w[0], w[16], w[1], w[31]) == (3.0, -6.0, 0.0, 0.0)
    for e, scale in {0: 2.0**-128, 1: 2.0**-127, 2: 2.0**-126, 255: 2.0**127}.items():
        raw[0], raw[1] = e, 0x91
        assert blocks.decode(raw, "MXFP4")[[0, 16]].tolist() == [scale, -scale]
    raw = np.zeros(136, np.uint8)
    raw[:2] = np.array([0.5], "<f2").view(np.uint8)
    raw[3], raw[7], raw[135] = 0xC0, 0x50, 0xF7  # scale 7 is 3 * 16 + 5 - 32
    w = blocks.decode(raw, "IQ4_XS")
    assert (w[0], w[239], w[255]) == (0.5 * -32 * -127, 0.5 * 21 * -10, 0.5 * 21 * 113)


def test_decode_names_what_it_cannot():
    with pytest.raises(ValueError, match="IQ2_XS; decoded are F32, F16, BF16, Q4_0"):
        blocks.decode(np.zeros(74, np.uint8), "IQ2_XS")


def test_fma_is_the_hardware_instruction():
    exact = libm_fma()
    rng = np.random.default_rng(1)
    a, b, c = (rng.integers(0, 2**32, 20000, dtype=np.uint32).view(np.float32) for _ in range(3))
    c[::2] = (-a * b)[::2]  # nearly everything cancels
    finite = np.isfinite(a) & np.isfinite(b) & np.isfinite(c)
    a, b, c = a[finite], b[finite], c[finite]
    # where rounding twice goes wrong: the sum lies next to the middle of two float32, on the side of a far smaller term
    a = np.append(a, np.float32([1 + 2**-12, 2**-12, 2**-75]))
    b = np.append(b, np.float32([1 + 2**-12, 2**-12 * (1 + 2**-23), 2**-75]))
    c = np.append(c, np.float32([2**-60, 1, 2**-126]))
    expected = np.array([exact(x, y, z) for x, y, z in zip(a, b, c, strict=True)], np.float32)
    np.testing.assert_array_equal(bits(fma(a, b, c)), bits(expected))
    twice = (a.astype(np.float64) * b + c).astype(np.float32)
    assert (bits(twice) != bits(expected)).any()  # float64 alone would not have done


def test_linear_in_order_is_a_chain_of_fma():
    exact = libm_fma()
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(2, 37)).astype(np.float32), rng.normal(size=(37, 3)).astype(np.float32)
    got = linear_in_order(x, w)
    for r in range(2):
        for o in range(3):
            acc = 0.0
            for k in range(37):
                acc = exact(float(w[k, o]), float(x[r, k]), acc)
            assert got[r, o] == np.float32(acc)


def test_quantise_codes_and_scales():
    x = np.zeros((1, 96), np.float32)
    x[0, :4] = [254, -254, 1, 3]  # amax 254: codes x / 2, halves to even
    x[0, 64] = 1e-40  # 127 / 1e-40 is no float32
    codes, sx = quantise(x)
    assert codes[0, 0, :5].tolist() == [127, -127, 0, 2, 0]
    assert sx.tolist() == [[2.0, 0.0, 0.0]]
    assert not codes[0, 1:].any()


def test_quantise_stays_in_range():
    x = np.random.default_rng(3).normal(size=(50, 320)).astype(np.float32)
    codes, sx = quantise(x)
    assert codes.min() == -127 and codes.max() == 127
    error = np.abs(codes * sx[:, :, None] - x.reshape(codes.shape))
    assert (error <= sx[:, :, None] * np.float32(0.5001)).all()


@pytest.mark.parametrize("kind", blocks.QUANTISED)
def test_int8_product_is_close_to_the_decoded_one(kind):
    n_in = 512
    raw = random_raw(kind, 7 * n_in // blocks.TYPES[kind][1], 8).reshape(7, -1)
    x = np.random.default_rng(9).normal(size=(5, n_in)).astype(np.float32)
    codes, sx = quantise(x)
    rounded = (codes * sx[:, :, None].astype(np.float64)).reshape(5, -1)
    w = blocks.decode(raw.reshape(-1), kind).reshape(7, n_in).astype(np.float64)
    size = np.abs(rounded) @ np.abs(w).T
    assert (np.abs(linear_int8(x, raw, kind) - rounded @ w.T) <= 1e-6 * size).all()


def test_int8_product_of_q4_1_step_by_step():
    exact = libm_fma()
    raw = random_raw("Q4_1", 3, 10).reshape(1, -1)
    x = np.random.default_rng(11).normal(size=(1, 96)).astype(np.float32)
    codes, sx = quantise(x)
    acc = 0.0
    for b in range(3):
        block = raw[0, 20 * b : 20 * b + 20]
        d, m = (float(v) for v in block[:4].copy().view("<f2"))
        q = [int(v) & 15 for v in block[4:]] + [int(v) >> 4 for v in block[4:]]
        a = codes[0, b].tolist()
        p = sum(i * j for i, j in zip(a, q, strict=True))
        scale = sx[0, b]
        acc = exact(float(p), float(np.float32(d) * scale), acc)
        acc = exact(m, float(scale * np.float32(sum(a))), acc)
    assert linear_int8(x, raw, "Q4_1")[0, 0] == np.float32(acc)


def test_int8_product_of_q4_k_step_by_step():
    exact = libm_fma()
    raw = random_raw("Q4_K", 1, 12).reshape(1, -1)
    x = np.random.default_rng(13).normal(size=(1, 256)).astype(np.float32)
    codes, sx = quantise(x)
    d, dmin = raw[0, :4].copy().view("<f2").astype(np.float32)
    s, acc = raw[0, 4:16].astype(int), 0.0
    for b in range(8):
        scale, minimum = s[b % 4], s[4 + b % 4]
        if b < 4:
            scale, minimum = scale & 63, minimum & 63
        else:
            scale, minimum = s[b + 4] & 15 | scale >> 6 << 4, s[b + 4] >> 4 | minimum >> 6 << 4
        q = raw[0, 16 + b // 2 * 32 :][:32].astype(int) >> 4 * (b % 2) & 15
        total, ds, m = int((codes[0, b] * q).sum()), d * np.float32(scale), -(dmin * np.float32(minimum))  # all exact
        acc = exact(float(total), float(ds * sx[0, b]), acc)
        acc = exact(float(m), float(sx[0, b] * np.float32(codes[0, b].sum())), acc)
    assert linear_int8(x, raw, "Q4_K")[0, 0] == np.float32(acc)


def test_int8_product_of_q2_k_step_by_step():
    exact = libm_fma()
    raw = random_raw("Q2_K", 1, 14).reshape(1, -1)
    x = np.random.default_rng(15).normal(size=(1, 256)).astype(np.float32)
    codes, sx = quantise(x)
    d, dmin = raw[0, 80:].copy().view("<f2").astype(np.float32)
    acc = 0.0
    for b in range(8):
        q = raw[0, 16 + b // 4 * 32 :][:32].astype(int) >> 2 * (b % 4) & 3
        scales = raw[0, 2 * b : 2 * b + 2].astype(int)
        halves = [codes[0, b, :16], codes[0, b, 16:]]
        total = sum(int((a * qs).sum() * (s & 15)) for a, qs, s in zip(halves, [q[:16], q[16:]], scales, strict=True))
        low = sum(int(a.sum() * (s >> 4)) for a, s in zip(halves, scales, strict=True))
        acc = exact(float(total), float(d * sx[0, b]), acc)
        acc = exact(float(low), -float(dmin * sx[0, b]), acc)
    assert linear_int8(x, raw, "Q2_K")[0, 0] == np.float32(acc)


def test_largest_integers_of_a_block_are_exact_in_float32():
    raw = np.zeros((1, 210), np.uint8)  # every q is 0 - 32
    raw[0, 192:208] = 128  # every sub-block scale is -128
    raw[0, 208:] = np.array([1.0], "<f2").view(np.uint8)
    x = np.full((1, 256), 127, np.float32)
    total = 32 * 127 * 128 * 32
    assert total < 2**24 and math.log2(total) > 23.98
    assert linear_int8(x, raw, "Q6_K")[0, 0] == 8 * total
    raw = np.zeros((1, 136), np.uint8)  # every scale is -32, every code -127
    raw[0, :2] = np.array([1.0], "<f2").view(np.uint8)
    total = 32 * 127 * 127 * 32
    assert total < 2**24 and math.log2(total) > 23.97
    assert linear_int8(x, raw, "IQ4_XS")[0, 0] == 8 * total
