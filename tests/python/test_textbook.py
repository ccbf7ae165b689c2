"""Every number of textbook.py, to exactly the digits that are printed; and what the page cannot show in one call."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import cutaway as ca
import numpy as np
import pytest
from cutaway.reference import chi_square
from cutaway.reference import sampler as twin
from cutaway.reference.exact_math import log
from textbook import TOPICS, Case, Topic, curve, holds, shown

ROOT = Path(__file__).resolve().parents[2]
TITLES = [topic.title for topic in TOPICS]


@cache
def names_of(title: str) -> dict[str, Any]:
    return TOPICS[TITLES.index(title)].names()


def named(title: str, name: str) -> Any:
    return names_of(title)[name]


# ---- the cases


@pytest.mark.parametrize(
    ("topic", "case"),
    [pytest.param(topic, case, id=f"{topic.title}: {case.call[:70]}") for topic in TOPICS for case in topic.cases],
)
def test_case(topic: Topic, case: Case):
    computed = eval(case.call, names_of(topic.title))
    if not case.instead:
        assert holds(case.printed, computed), f"{case.call} is {shown(computed)}, printed {case.printed}"
        return
    assert not holds(case.printed, computed), "nothing differs: the case needs no `instead`"
    assert holds(case.instead, computed), f"{case.call} is {shown(computed)}, expected {case.instead}"
    assert case.why, "where a number differs the page says why"


@pytest.mark.parametrize(
    ("topic", "case"),
    [(t, c) for t in TOPICS for c in t.cases if re.search(r"[0-9]", c.printed) and "repr(" not in c.call],
    ids=lambda value: getattr(value, "call", "")[:70],
)
def test_the_last_digit_counts(topic: Topic, case: Case):
    """One unit more or less in the last digit of any number, or a bound on the other side: no longer what is computed."""
    computed, printed = eval(case.call, names_of(topic.title)), case.instead or case.printed
    if printed.startswith(("above", "below")):
        other = {"above": "below", "below": "above"}[printed[:5]]
        assert not holds(other + printed[5:], computed)
        return
    prefix = "1 - " if printed.startswith("1 - ") else ""
    numbers = printed.removeprefix(prefix)
    assert holds(prefix + numbers, computed)
    for number in re.finditer(r"(-?[0-9.]+)(e-[0-9]+)?", numbers):
        digits, exponent = number[1], number[2] or ""
        decimals = len(digits.partition(".")[2])
        for unit in (1, -1):
            changed = f"{float(digits) + unit * 10.0**-decimals:.{decimals}f}{exponent}"
            assert not holds(prefix + numbers[: number.start()] + changed + numbers[number.end() :], computed)


@pytest.mark.parametrize(
    ("printed", "computed", "right"),
    [
        ("0.27", 0.2689, True),
        ("0.27", 0.2650001, True),
        ("0.27", 0.2649999, False),
        ("0.27", 0.2751, False),
        ("[0.27, 0.73]", np.array([0.2689, 0.7311]), True),
        ("[0.27, 0.73]", [0.2689], False),
        ("[0.27, 0.73]", [0.7311, 0.2689], False),
        ("2.1e-9", 2.0611e-9, True),
        ("2.1e-9", 2.1611e-9, False),
        ("1 - 2.1e-9", 1 - 2.0611e-9, True),
        ("1 - 2.1e-9", 1.0, False),
        ("87.5 %", 0.875, True),
        ("87.5 %", 87.5, False),
        ("above 0.9999", 0.99989, False),
        ("above 0.9999", 0.99991, True),
        ("below 13.816", math.inf, False),
        ("above 13.816", math.inf, True),
        ("0", math.nan, False),
        ("0", 0.4, True),
        ("{yes, maybe}", ["yes", "maybe"], True),
        ("{yes, maybe}", ["yes", "maybe", "no"], False),
        ("True", np.bool_(False), False),
        ("about 3", 3.0, False),
    ],
)
def test_what_holds(printed, computed, right):
    assert holds(printed, computed) is right


def test_the_page_shows_every_case():
    page = (ROOT / "docs" / "textbook.md").read_text("utf-8")
    for topic in TOPICS:
        assert f"## {topic.title}\n" in page and topic.setup in page and topic.rows in page
        for case in topic.cases:
            assert f"| {case.printed} | " in page and f" | `{case.call}` | {case.why} |\n" in page


# ---- temperature


def test_the_curve_falls_and_stays_above_one_half():
    temperatures = np.linspace(0.03, 20, 500)
    got = curve(temperatures)
    assert (np.diff(got) < 0).all()
    assert got[-1] > 0.5 and got[0] < 1
    np.testing.assert_allclose(got, 1 / (1 + np.exp(-1 / temperatures)), rtol=1e-14)
    assert curve([0]) == [1.0]


# ---- chi-square: against printed tables, and against itself


@pytest.mark.parametrize(
    ("alpha", "table"),
    [
        (0.05, {1: 3.841, 2: 5.991, 3: 7.815, 4: 9.488, 5: 11.070, 10: 18.307, 100: 124.342}),
        (0.01, {1: 6.635, 2: 9.210, 3: 11.345, 4: 13.277, 5: 15.086, 10: 23.209, 100: 135.807}),
        (0.001, {1: 10.828, 2: 13.816, 3: 16.266, 4: 18.467, 5: 20.515, 10: 29.588, 100: 149.449}),
    ],
)
def test_critical_values_of_the_tables(alpha, table):
    for df, printed in table.items():
        assert round(chi_square.critical(df, alpha), 3) == printed
        assert chi_square.tail(chi_square.critical(df, alpha), df) == pytest.approx(alpha, rel=1e-12)
        assert chi_square.tail(0.0, df) == 1


def test_statistic_by_hand():
    assert chi_square.statistic([12, 8], [10, 10]) == 0.8
    assert chi_square.statistic([12, 8, 0], [10, 10, 0]) == 0.8
    assert chi_square.statistic([12, 8, 1], [10, 10, 0]) == math.inf


@pytest.mark.parametrize("draws", [1000, 10_000])
def test_chi_square_finds_a_two_point_error_when_there_are_enough_draws(draws):
    """What a test cannot find matters too: with 1,000 draws 48 % still passes for 50 %."""
    drawn = named("Drawn as often as they say", "draw_colours")(seed=0, n=draws)
    assert drawn.sum() == draws
    assert chi_square.statistic(drawn, draws * np.array([0.5, 0.3, 0.2])) < chi_square.critical(2)
    wrong = chi_square.statistic(drawn, draws * np.array([0.48, 0.32, 0.2]))
    assert (wrong > chi_square.critical(2)) == (draws == 10_000)


# ---- the twins, and the wrong top-p


@pytest.mark.parametrize(
    ("chain", "stages"),
    [
        ([("temperature", 0)], [ca.Temperature(0)]),
        *(([("top_k", k)], [ca.TopK(k)]) for k in (1, 5, 40)),
        *(([("top_p", p)], [ca.TopP(p)]) for p in (0.1, 0.5, 0.9, 0.99)),
        ([("top_p", 0.9), ("top_k", 5)], [ca.TopP(0.9), ca.TopK(5)]),
    ],
    ids=str,
)
def test_sets_probabilities_and_draws_of_the_twins(chain, stages):
    rng = np.random.default_rng(1)
    for seed in range(60):
        row = (rng.uniform(0.1, 8) * rng.standard_normal(rng.integers(1, 2000))).astype(np.float32)
        row[rng.random(len(row)) < 0.1] = row[0]  # ties
        sampler = ca.Sampler(stages, seed=seed)
        probs = sampler.probs(row)
        np.testing.assert_array_equal(np.flatnonzero(probs), twin.run(row, chain)[0])
        np.testing.assert_array_equal(probs, twin.probs(row, chain))
        assert sampler.sample(row, step=seed) == twin.draw(probs, twin.uniform(seed, seed))


@pytest.mark.parametrize("n", [5, 300])
def test_one_line_of_the_wrong_top_p_is_wrong(n):
    """With the line that its page gives instead, the same code is the engine's top-p; with its own, the last ids win."""
    title = "A widespread top-p that is wrong"
    source = TOPICS[TITLES.index(title)].setup.partition("\n\n\n")[0]
    right_line = re.search(r"`(chances = .*?)`", TOPICS[TITLES.index(title)].text)[1]
    lines = [f"    {right_line}" if "# wrong" in line else line for line in source.splitlines()]
    assert lines != source.splitlines()
    scope: dict[str, Any] = {"np": np}
    exec("\n".join(lines), scope)
    logits = np.random.default_rng(0).permutation(np.linspace(0, 4, n))
    sampler = ca.Sampler([ca.TopP(0.9)], seed=2)
    expected, counted = sampler.probs(logits), {}
    for name, code in (("wrong", named(title, "wrong_top_p")), ("right", scope["wrong_top_p"])):
        ids, chances = code(logits, 0.9)
        assert sorted(ids) == np.flatnonzero(expected).tolist()
        probs = np.zeros(n)
        probs[ids] = chances
        counted[name] = np.bincount([twin.draw(probs, twin.uniform(2, i)) for i in range(4000)], minlength=n)
        if name == "right":
            np.testing.assert_allclose(probs, expected, rtol=1e-12)
        else:
            assert probs.argmax() == max(ids) and probs.max() > 0.5
    limit = chi_square.critical(int((expected > 0).sum()) - 1)
    assert chi_square.statistic(counted["right"], 4000 * expected) < limit
    assert chi_square.statistic(counted["wrong"], 4000 * expected) > 100 * limit


# ---- products and logarithms


def test_a_product_of_a_real_texts_probabilities_underflows(real_model):
    model = real_model("smollm2", "int8")
    text = (ROOT / "LICENSE").read_text("utf-8") + (ROOT / "docs" / "determinism.md").read_text("utf-8")
    logprobs = model.score(model.tokenizer.encode(text)[:1001])
    probabilities = np.exp(logprobs)
    assert probabilities.shape == (1000,) and (probabilities > 0).all()
    assert np.prod(probabilities.astype(np.float32)) == 0
    assert 1 < np.argmin(np.cumprod(probabilities.astype(np.float32))) < 500
    total = logprobs.sum()
    assert -10_000 < total < math.log(2**-149)
    assert logprobs.astype(np.float32).sum() == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(1, 10_000), Fraction(1, 3)])
@pytest.mark.parametrize("n", [1, 3, 1000, 10_000])
def test_at_least_once_in_n_draws(p, n):
    exact = 1 - (1 - p) ** n
    assert 1 - (1 - float(p)) ** n == pytest.approx(float(exact), rel=1e-10)
    assert -math.expm1(n * math.log1p(-float(p))) == pytest.approx(float(exact), rel=1e-14)


def test_three_tries_are_seven_eighths():
    half = Fraction(float(ca.Sampler(seed=0).probs([0.0, 0.0])[0]))
    assert 1 - (1 - half) ** 3 == Fraction(7, 8) == Fraction(87.5) / 100


def test_three_tries_success_by_success():
    """0, 1, 2, 3 successes are drawn as 1, 3, 3, 1 of 8 say; as 2, 2, 2, 2 they would not be."""
    counts = np.bincount(named("Three tries at 50 %", "tries").sum(axis=1), minlength=4)
    assert chi_square.statistic(counts, 500 * np.array([1, 3, 3, 1])) < chi_square.critical(3)
    assert chi_square.statistic(counts, 500 * np.array([2, 2, 2, 2])) > chi_square.critical(3)


@pytest.mark.parametrize("stage", [ca.TopP(0.99), ca.MinP(0.05)], ids=repr)
def test_what_is_cut_never_comes(stage):
    sure = log(np.array([0.9, 0.0999, 0.0001]))
    assert ca.Sampler([stage], seed=1).probs(sure)[2] == 0
    plain = np.array([ca.Sampler(seed=1).sample(sure, step=i) for i in range(50_000)])
    steps = np.flatnonzero(plain == 2)
    assert len(steps) > 0
    assert all(ca.Sampler([stage], seed=1).sample(sure, step=int(i)) != 2 for i in steps)


# ---- the ledger, as exact arithmetic


@pytest.mark.parametrize("n", [2, 4, 8])
def test_the_parts_of_the_dice_are_exact_for_equal_logits(n):
    """n equal logits, n a power of two: each part is exactly 1/n long and begins where the one before ends."""
    sampler, seen = ca.Sampler(seed=4), set()
    for step in range(20 * n):
        draw = sampler.explain(np.zeros(n), step=step).draw
        assert (draw.low, draw.high) == (Fraction(draw.token, n), Fraction(draw.token + 1, n))
        assert draw.token == math.floor(Fraction(draw.u) * n)
        assert draw.probability == Fraction(1, n)
        assert draw.probability_before == 1 / n
        assert draw.logprob == draw.sampled_logprob == -twin.log(n)
        assert draw.rank_before == draw.token + 1  # of equal logits the lower id comes first
        seen.add(draw.token)
    assert seen == set(range(n))


def test_the_parts_of_the_dice_tile_the_line():
    """Of any logits, after any stages: each part begins, to the bit, where the one before ends."""
    logits = 2 * np.random.default_rng(0).standard_normal(9)
    sampler = ca.Sampler([ca.Temperature(1.5), ca.TopK(6)], seed=0)
    parts = {d.token: (d.low, d.high) for d in (sampler.explain(logits, step=i).draw for i in range(600))}
    assert sorted(parts) == np.flatnonzero(sampler.probs(logits)).tolist()
    edges = [0.0, *np.cumsum(sampler.probs(logits)[sorted(parts)])]
    assert [parts[token] for token in sorted(parts)] == list(pairwise(edges))
    assert edges[-1] == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize(("n", "k"), [(4, 2), (8, 2), (16, 4), (64, 1)])
def test_stages_of_equal_logits_are_exact(n, k):
    stage = ca.Sampler([ca.TopK(k)], seed=0).explain(np.zeros(n)).stages[0]
    assert (stage.candidates_in, stage.candidates_out) == (n, k)
    assert stage.mass_removed == 1 - Fraction(k, n)
    assert (stage.top_before, stage.top_after) == (Fraction(1, n), Fraction(1, k))
    assert (stage.entropy_before, stage.entropy_after) == (twin.log(n), twin.log(k))
