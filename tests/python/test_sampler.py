"""Samplers: the engine against its NumPy twins, tables to read by eye, the draw, the ledger, and what is refused."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from pathlib import Path

import cutaway as ca
import numpy as np
import pytest
from cutaway import _core
from cutaway import sampler as public
from cutaway.reference import exact_math
from cutaway.reference import sampler as ref
from hypothesis import given, settings
from hypothesis import strategies as st

INF = float("inf")

# One setting per stage, wide enough to be on, off and extreme.
SETTINGS = {
    "repetition_penalty": st.sampled_from([1.0, 1.1, 1.3, 2.0, 0.5]),
    "presence_penalty": st.sampled_from([0.0, 0.5, -0.5, 2.0]),
    "frequency_penalty": st.sampled_from([0.0, 0.1, -0.3, 2.0]),
    "temperature": st.sampled_from([0.0, 0.01, 0.3, 0.7, 1.0, 1.5, 10.0]),
    "top_k": st.sampled_from([0, 1, 2, 5, 16, 17, 40, 600, 10**6]),
    "top_p": st.sampled_from([1e-9, 0.1, 0.5, 0.8, 0.9, 0.95, 0.999, 1.0]),
    "min_p": st.sampled_from([0.0, 0.01, 0.05, 0.5, 1.0]),
}
CHAINS = st.lists(
    st.sampled_from(sorted(SETTINGS)).flatmap(lambda name: SETTINGS[name].map(lambda v: (name, v))), max_size=5
)


def make(chain: list[tuple[str, float]], seed: int = 0) -> ca.Sampler:
    return ca.Sampler([public.STAGES[name](value) for name, value in chain], seed=seed)


def random_logits(n: int, seed: int, spread: float = 3.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal(n) * spread
    logits[rng.random(n) < 0.2] = np.round(logits[rng.random(n) < 0.2].mean() if n > 50 else 0.0)  # ties
    logits[rng.random(n) < 0.05] = -INF
    if np.isneginf(logits).all():
        logits[0] = 0.5
    return logits.astype(np.float32)


def test_every_stage_has_its_class_and_its_twin():
    names = _core.stage_names()
    assert names == list(public.STAGES) == list(ref.STAGES)
    assert sorted(SETTINGS) == sorted(names)


@pytest.mark.parametrize("x", [np.linspace(-750, 709, 20001), np.linspace(-1e-9, 1e-9, 101)])
def test_twin_of_exp_and_log_is_close_to_numpy(x):
    with np.errstate(under="ignore"):
        expected = np.where(x < -708, 0, np.exp(x))
    np.testing.assert_allclose(exact_math.exp(x), expected, rtol=4e-16)
    y = expected[expected > 0]
    np.testing.assert_allclose(exact_math.log(y), np.log(y), rtol=4e-16, atol=4e-16)


# ---- the engine equals the twins, to the bit


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([1, 2, 3, 15, 16, 17, 33, 257]), st.integers(0, 10**6), CHAINS, st.floats(0.01, 30.0))
def test_chain_equals_twin(n, seed, chain, spread):
    logits = random_logits(n, seed, spread)
    seen = np.random.default_rng(seed).integers(0, n, size=min(n, 9)).tolist()
    expected = ref.probs(logits, chain, seen)
    got = make(chain).probs(logits, ids=seen)
    np.testing.assert_array_equal(got, expected)
    assert abs(got.sum() - 1) < 1e-12
    assert make(chain, seed=seed).sample(logits, ids=seen, step=3) == ref.draw(expected, ref.uniform(seed, 3))


@pytest.mark.parametrize("n", [1, 2, 17, 49152])
@pytest.mark.parametrize(
    "chain",
    [
        [],
        [("temperature", 0.0)],
        [("temperature", 5.0), ("top_p", 0.9)],
        [("top_k", 700), ("top_p", 0.95), ("temperature", 0.7)],
        [("repetition_penalty", 1.2), ("temperature", 0.7), ("top_k", 40), ("top_p", 0.95), ("min_p", 0.05)],
    ],
    ids=str,
)
@pytest.mark.parametrize("spread", [0.001, 3.0])
def test_ugly_sizes(n, chain, spread):
    logits, seen = random_logits(n, n, spread), [0, n // 2, 0]
    expected = ref.probs(logits, chain, seen)
    np.testing.assert_array_equal(make(chain).probs(logits, ids=seen), expected)
    for step in range(5):
        assert make(chain, 2**64 - 1).sample(logits, ids=seen, step=step) == ref.draw(
            expected, ref.uniform(2**64 - 1, step)
        )


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([2, 17, 257]), st.integers(0, 10**6), CHAINS)
def test_ledger_equals_twin(n, seed, chain):
    logits, seen = random_logits(n, seed), [0, 1, 1]
    ledger = make(chain, seed).explain(logits, ids=seen, step=8)
    ids, kept = ref.run(logits, [])
    assert [(s.name, *s.values) for s in ledger.stages] == [(name, value) for name, value in chain]
    for i, stage in enumerate(ledger.stages):
        after_ids, after = ref.run(logits, chain[: i + 1], seen)
        before_p = ref.softmax(kept)
        assert (stage.candidates_in, stage.candidates_out) == (len(ids), len(after_ids))
        assert stage.mass_removed == ref.lane_sum(np.where(np.isin(ids, after_ids), 0.0, before_p))
        assert (stage.entropy_before, stage.entropy_after) == (ref.entropy(kept), ref.entropy(after))
        assert (stage.top_before, stage.top_after) == (before_p.max(), ref.softmax(after).max())
        ids, kept = after_ids, after
    probs, draw = ref.probs(logits, chain, seen), ledger.draw
    assert draw.u == ref.uniform(seed, 8)
    assert draw.token == ref.draw(probs, draw.u)
    assert draw.probability == probs[draw.token]
    assert draw.low == probs[: draw.token].cumsum()[-1] if draw.token else draw.low == 0
    assert draw.low <= draw.u < draw.high
    raw = logits.astype(np.float64)
    assert draw.rank_before == 1 + int((raw > raw[draw.token]).sum() + (raw[: draw.token] == raw[draw.token]).sum())
    masked_ids, masked = ref.run(logits, [])
    assert draw.logprob == ref.log_softmax(masked)[masked_ids == draw.token]
    assert draw.sampled_logprob == ref.log_softmax(kept)[ids == draw.token]
    assert (draw.token, draw.logprob, draw.sampled_logprob) == make(chain, seed).draw(logits, ids=seen, step=8)


# ---- tables to read by eye: probabilities in, probabilities out

K1234 = [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("stages", "before", "after"),
    [
        ([], K1234, K1234),
        ([ca.TopK(2)], K1234, [0, 0, 3 / 7, 4 / 7]),
        ([ca.TopK(2)], [0.3, 0.2, 0.2, 0.3], [0.5, 0, 0, 0.5]),
        ([ca.TopK(3)], [0.3, 0.2, 0.2, 0.3], [0.375, 0.25, 0, 0.375]),
        ([ca.TopP(0.75)], K1234, [0, 2 / 9, 3 / 9, 4 / 9]),
        ([ca.TopP(0.0001)], K1234, [0, 0, 0, 1]),
        ([ca.MinP(0.6)], K1234, [0, 0, 3 / 7, 4 / 7]),
        ([ca.Temperature(0.5)], [0.25, 0.75], [0.1, 0.9]),
        ([ca.Temperature(2)], [0.1, 0.9], [0.25, 0.75]),
        ([ca.Temperature(0)], [0.2, 0.4, 0.4], [0, 1, 0]),
        ([ca.TopK(2), ca.TopP(0.5)], K1234, [0, 0, 0, 1]),  # 4/7 reaches one half
        ([ca.TopP(0.5), ca.TopK(2)], K1234, [0, 0, 3 / 7, 4 / 7]),  # 0.4 does not
    ],
    ids=repr,
)
def test_table(stages, before, after):
    got = ca.Sampler(stages, seed=0).probs(np.log(before))
    np.testing.assert_allclose(got, after, atol=1e-15)
    np.testing.assert_array_equal(got == 0, np.asarray(after) == 0)


@pytest.mark.parametrize(
    ("stage", "after"),
    [
        (ca.RepetitionPenalty(2.0), [0.5, -4.0, 3.0]),  # seen: 1 -> 0.5, -2 -> -4
        (ca.PresencePenalty(1.5), [-0.5, -3.5, 3.0]),
        (ca.FrequencyPenalty(0.5), [-0.5, -2.5, 3.0]),  # id 0 three times, id 1 once
        (ca.FrequencyPenalty(-0.5), [2.5, -1.5, 3.0]),
    ],
    ids=repr,
)
def test_penalties_by_hand(stage, after):
    weights = np.exp(after)
    got = ca.Sampler([stage], seed=0).probs(np.array([1.0, -2.0, 3.0]), ids=[0, 0, 1, 0])
    np.testing.assert_allclose(got, weights / weights.sum(), rtol=1e-14)


GOLDENS = json.loads((Path(__file__).parents[1] / "golden" / "sampler.json").read_text())


@pytest.mark.parametrize("case", GOLDENS["cases"], ids=lambda case: str(case["chain"]))
def test_equals_transformers(case):
    sampler = make([tuple(stage) for stage in case["chain"]])
    got = sampler.probs(np.asarray(case["logits"]), ids=GOLDENS["seen"])
    np.testing.assert_allclose(got, case["probs"], rtol=1e-9)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["temperature", "top_k", "top_p", "min_p"]).flatmap(lambda n: SETTINGS[n].map(lambda v: (n, v))),
)
def test_permuting_the_vocabulary_permutes_the_probabilities(seed, stage):
    rng = np.random.default_rng(seed)
    logits = rng.permutation(np.linspace(-8, 8, 101))  # no ties
    order = rng.permutation(101)
    sampler = make([stage])
    np.testing.assert_allclose(sampler.probs(logits[order]), sampler.probs(logits)[order], rtol=1e-13)


# ---- the draw


def test_philox_known_answers():
    """Random123's kat_vectors, philox4x32 with 10 rounds."""
    assert ref.philox4x32([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ones = 0xFFFFFFFF
    assert ref.philox4x32([ones] * 4, [ones] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]
    assert ref.philox4x32(pi, [0xA4093822, 0x299F31D0]) == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


@pytest.mark.parametrize("chain", [[], [("temperature", 0.7), ("top_k", 7)], [("top_p", 0.8)]], ids=str)
def test_frequencies_follow_the_probabilities(chain):
    """Pearson's chi-square of 20,000 draws against the 99.9 % point (Wilson-Hilferty)."""
    logits, draws = np.log(np.arange(1, 11) / 55), 20_000
    sampler = make(chain, seed=1)
    counts = np.bincount([sampler.sample(logits, step=i) for i in range(draws)], minlength=10)
    expected = sampler.probs(logits) * draws
    assert not counts[expected == 0].any()
    kept = expected > 0
    chi2, df = float(((counts - expected)[kept] ** 2 / expected[kept]).sum()), int(kept.sum()) - 1
    limit = df * (1 - 2 / (9 * df) + 3.09 * (2 / (9 * df)) ** 0.5) ** 3
    assert chi2 < limit


def test_seed_and_step_decide():
    logits = np.zeros(1000, np.float32)
    a = [ca.Sampler(seed=7).sample(logits, step=i) for i in range(20)]
    assert a == [ca.Sampler(seed=7).sample(logits, step=i) for i in range(20)]
    assert a != [ca.Sampler(seed=8).sample(logits, step=i) for i in range(20)]
    assert len(set(a)) > 15
    picked = ca.Sampler()
    assert 0 <= picked.seed < 2**32
    assert ca.Sampler(seed=picked.seed).sample(logits) == picked.sample(logits)


def test_dtypes_and_layouts_give_the_same_token():
    base = np.round(np.random.default_rng(0).standard_normal(300) * 64) / 64  # exact in float16
    sampler = ca.Sampler([ca.Temperature(0.8), ca.TopP(0.9)], seed=3)
    expected = sampler.probs(base)
    wide = np.zeros((300, 3), np.float32)
    wide[:, 1] = base
    for other in (base.astype(np.float32), base.astype(np.float16), base.astype(">f4"), wide[:, 1], base.tolist()):
        np.testing.assert_array_equal(sampler.probs(other), expected)


def test_two_threads_share_a_sampler():
    logits = np.random.default_rng(0).standard_normal(20000).astype(np.float32)
    sampler = ca.Sampler([ca.Temperature(0.8), ca.TopK(50)], seed=5)
    expected = [sampler.sample(logits, step=i) for i in range(40)]
    results: list[list[int]] = []
    team = [
        threading.Thread(target=lambda: results.append([sampler.sample(logits, step=i) for i in range(40)]))
        for _ in range(4)
    ]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    assert results == [expected] * 4


# ---- values and words


def test_stages_and_samplers_are_values():
    sampler = ca.Sampler([ca.Temperature(0.7), ca.TopK(40), ca.TopP(0.95)], seed=7)
    assert repr(sampler) == "Sampler([Temperature(0.7), TopK(40), TopP(0.95)], seed=7)"
    assert ca.TopK(40) == ca.TopK(np.int64(40)) and ca.TopK(40) != ca.TopK(41)
    assert sampler == copy.deepcopy(sampler) == pickle.loads(pickle.dumps(sampler))
    assert sampler.with_seed(8) != sampler and sampler.with_seed(8).stages == sampler.stages
    with pytest.raises(AttributeError):
        ca.TopK(40).k = 3
    assert ca.Sampler(ca.TopK(1), seed=0).stages == (ca.TopK(1),)


def test_explain_reads_as_a_table():
    class Words:
        def encode(self, text):
            return np.asarray([" the cat sat on".split().index(word) for word in text.split()])

        def decode(self, ids):
            return " ".join(["the", "cat", "sat", "on"][i] for i in ids)

    sampler = ca.Sampler([ca.PresencePenalty(9), ca.Temperature(0.5), ca.TopK(1)], seed=1)
    ledger = sampler.explain(np.log(K1234), ids="sat on", tokenizer=Words())
    assert ledger.draw.token == 1
    assert repr(ledger).splitlines() == [
        "Sampler([PresencePenalty(9), Temperature(0.5), TopK(1)], seed=1), step 0",
        "stage               candidates  mass removed  entropy (nats)  top probability",
        "presence_penalty 9  4 → 4             0.0000  1.280 → 0.639   0.4000 → 0.6665",
        "temperature 0.5     4 → 4             0.0000  0.639 → 0.500   0.6665 → 0.8000",
        "top_k 1             4 → 1             0.2000  0.500 → 0.000   0.8000 → 1.0000",
        f"draw: u = {ref.uniform(1, 0):.6f} lies in [0.000000, 1.000000) of token 1 'cat'",
        "after all stages: probability 1.0000, log-probability 0.0000",
        "before any stage: probability 0.2000, log-probability -1.6094, rank 3 of 4",
    ]
    assert "no stages" in repr(ca.Sampler(seed=0).explain([0.0, 1.0]))


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int32, np.int64, np.uint64])
def test_whole_numbers_are_logits_as_well(kind):
    sampler = ca.Sampler([ca.Temperature(0.7), ca.TopK(3)], seed=3)
    for row in (np.arange(5, dtype=kind), np.asarray([7, 0, 9, 9, 1], kind)):
        assert repr(sampler.explain(row)) == repr(sampler.explain(row.astype(float)))
        assert sampler.draw(row, step=4) == sampler.draw(row.astype(float), step=4)
        assert sampler.probs(row).tolist() == sampler.probs(row.astype(float)).tolist()
    assert sampler.sample([0, 2**53, 1]) == sampler.sample([0, -(2**53), 1, 99]) - 2 == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: s.sample([1.0, float("nan")]), "entry 1 is NaN"),
        (lambda s: s.sample([INF, 1.0]), r"entry 0 is \+inf"),
        (lambda s: s.sample(np.full(5, -INF, np.float32)), "all 5 entries are -inf"),
        (lambda s: s.sample([True, False]), "dtype bool, expected float32"),
        (lambda s: s.sample([1, 2**53 + 1]), r"logits hold 9007199254740993, a whole .* logits.astype\(float\)"),
        (lambda s: s.sample(np.asarray([-(2**63), 0])), "logits hold -9223372036854775808"),
        (lambda s: s.sample(np.asarray([2**64 - 1], np.uint64)), "logits hold 18446744073709551615"),
        (lambda s: s.sample(np.empty(0, int)), r"shape \[0\]"),
        (lambda s: s.sample(np.arange(6).reshape(2, 3)), r"shape \[2, 3\], expected one row"),
        (lambda s: s.sample(["a"]), "dtype <U1"),
        (lambda s: s.sample([[1.0], [1.0, 2.0]]), "one row of numbers"),
        (lambda s: s.sample(np.zeros((2, 3))), r"shape \[2, 3\], expected one row \[d_vocab\]"),
        (lambda s: s.sample([]), r"shape \[0\]"),
        (lambda s: s.sample(np.float32(1)), r"shape \[\]"),
        (lambda s: s.sample([1.0, 2.0], ids=[2]), "token id 2 is out of range"),
        (lambda s: s.sample([1.0, 2.0], ids=[-1]), "token id -1 is out of range"),
        (lambda s: s.probs([1.0, 2.0], ids=[0.5]), "ids must be whole numbers"),
        (lambda s: s.probs([1.0, 2.0], ids="a"), "no tokenizer"),
        (lambda s: s.sample([1.0], step=-1), "step must be a whole number from 0"),
        (lambda s: s.sample([1.0], step=1.5), "step must be a whole number"),
        (lambda s: ca.Sampler(seed=-1), r"seed must be a whole number from 0 to 2\^64 - 1, got -1"),
        (lambda s: ca.Sampler(seed=2**64), "seed must be"),
        (lambda s: ca.Sampler(seed=True), "seed must be"),
        (lambda s: ca.Sampler(seed="7"), "seed must be a whole number, got '7'"),
        (lambda s: ca.Sampler([0.7]), r"0.7 is not a stage. Write a list such as \[ca.Temperature"),
        (lambda s: ca.Temperature(-0.1), "temperature must be 0 .greedy. or greater, got -0.1"),
        (lambda s: ca.Temperature(float("nan")), "temperature must be a finite number"),
        (lambda s: ca.Temperature("hot"), "temperature must be a number, got 'hot'"),
        (lambda s: ca.Temperature(True), "temperature must be a number"),
        (lambda s: ca.Temperature(1j), "temperature must be a number"),
        (lambda s: ca.TopK(-1), "top_k must be a whole number"),
        (lambda s: ca.TopK(2.5), "top_k must be a whole number"),
        (lambda s: ca.TopK(2**60), "top_k must be at most"),
        (
            lambda s: ca.TopP(90),
            "top_p must be above 0 and at most 1 .1 is off., got 90. It is a share: 90 % is written 0.9",
        ),
        (lambda s: ca.TopP(0), "top_p must be above 0"),
        (lambda s: ca.MinP(-0.1), "min_p must be between 0"),
        (lambda s: ca.MinP(5), "5 % is written 0.05"),
        (lambda s: ca.RepetitionPenalty(0), "repetition_penalty must be above 0"),
        (lambda s: ca.PresencePenalty(INF), "presence_penalty must be a finite number"),
        (
            lambda s: ca.Sampler([ca.Temperature(1e-310)]).sample([1.0, 2.0]),
            "overflow float64. Use a value nearer to 1",
        ),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ca.ArgumentError, match=words):
        call(ca.Sampler([ca.TopK(3)], seed=0))
