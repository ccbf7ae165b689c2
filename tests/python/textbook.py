"""Numbers that books on language models print, and the call of cutaway that computes each.

The one source of test_textbook.py, which asserts every case, and of docs/textbook.md, which scripts/docs.py writes from
them: the page shows the setup and the calls that were run. A new number is one more Case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import cutaway as ca
import numpy as np

PRELUDE = """\
import numpy as np
import cutaway as ca
from cutaway.reference import chi_square, sampler as twin
from cutaway.reference.exact_math import log  # np.log's last bit is not the same on every machine; this one's is"""


@dataclass(frozen=True)
class Case:
    """`printed` is what a book prints, or what follows by hand: numbers and words separated by commas.

    A number holds if the computed one, rounded to as many digits, is that number. "above x", "below x", "1 - x" and
    "x %" mean what they say. `instead` is what the call gives where the book's is not right; then `why` is why.
    """

    printed: str
    call: str
    why: str = ""
    instead: str = ""


@dataclass(frozen=True)
class Topic:
    """`setup` runs after PRELUDE; every call is evaluated with its names. `rows`, under `columns`, is a table."""

    title: str
    text: str
    cases: tuple[Case, ...]
    setup: str = ""
    columns: tuple[str, ...] = ()
    rows: str = ""

    def names(self) -> dict[str, Any]:
        """What the calls can refer to."""
        scope: dict[str, Any] = {}
        exec(f"{PRELUDE}\n{self.setup}", scope)
        return scope


def values(computed: Any) -> list[Any]:
    """A computed value as a flat list of numbers and words."""
    if isinstance(computed, np.ndarray):
        return computed.ravel().tolist()
    if isinstance(computed, Iterable) and not isinstance(computed, str):
        return list(computed)
    return [computed]


def holds(printed: str, computed: Any) -> bool:
    """Whether a computed value is what the book prints, to exactly the digits printed."""
    parts, got = printed.strip("[]{}").split(", "), values(computed)
    return len(parts) == len(got) and all(holds_one(part, value) for part, value in zip(parts, got, strict=True))


def holds_one(printed: str, value: Any) -> bool:
    if isinstance(value, (str, bool, np.bool_)):
        return str(value) == printed
    match = re.fullmatch(r"(above |below |1 - )?(-?[0-9][0-9.e-]*)( %)?", printed)
    if match is None:
        return False
    before, digits, percent = match.groups()
    expected, exact = Decimal(digits), Decimal(float(value)) * (100 if percent else 1)
    if before == "above ":
        return exact > expected
    if before == "below ":
        return exact < expected
    if before == "1 - ":
        exact = 1 - exact
    return exact.is_finite() and exact.quantize(expected) == expected


def shown(computed: Any, like: str = "") -> str:
    """A computed value as the page shows it: six digits, in the manner of `like`, what the book prints."""
    cells = [shown_one(value, like) for value in values(computed)]
    return cells[0] if len(cells) == 1 else f"[{', '.join(cells)}]"


def shown_one(value: Any, like: str = "") -> str:
    if not isinstance(value, (float, np.floating)):
        return str(value)
    if like.startswith("1 - "):
        return f"1 - {1 - value:.6g}"
    return f"{100 * value:.6g} %" if "%" in like else f"{value:.6g}"


TEMPERATURES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 5.0, 10.0, 100.0)


def curve(temperatures: Iterable[float]) -> list[float]:
    """Probability of the larger of the logits [1, 2] at each temperature."""
    return [float(ca.Sampler([ca.Temperature(t)]).probs([1.0, 2.0])[1]) for t in temperatures]


def softmax_case(printed: str, t: float, why: str = "") -> Case:
    return Case(printed, f"ca.Sampler([ca.Temperature({t})]).probs([1.0, 2.0])", why)


def twin_case(twin_chain: str, stages: str) -> Case:
    call = f"sum(np.array_equal(ca.Sampler([{stages}]).probs(row), twin.probs(row, [{twin_chain}])) for row in rows)"
    return Case("300", call)


TOPICS = (
    Topic(
        "Softmax and temperature",
        "Two tokens with the logits 1 and 2. The temperature divides the logits; softmax makes them probabilities.",
        (
            Case("[0.27, 0.73]", "ca.Sampler().probs([1.0, 2.0])", "No stage is temperature 1."),
            softmax_case("[0.27, 0.73]", 1),
            softmax_case("[0.12, 0.88]", 0.5),
            softmax_case("[0.193, 0.807]", 0.7),
            softmax_case("[0.378, 0.622]", 2),
            Case("above 0.9999", "ca.Sampler([ca.Temperature(0.1)]).probs([1.0, 2.0])[1]"),
            Case("1 - 2.1e-9", "ca.Sampler([ca.Temperature(0.05)]).probs([1.0, 2.0])[1]"),
            Case(
                "1 - 2.1e-9",
                "np.float32(ca.Sampler([ca.Temperature(0.05)]).probs([1.0, 2.0])[1])",
                "float32 has no number between 1 - 6e-8 and 1: code that does softmax in float32 prints exactly 1. "
                "The probabilities of a sampler are float64.",
                instead="1.0",
            ),
            Case(
                "[0, 1]",
                "ca.Sampler([ca.Temperature(0)]).probs([1.0, 2.0])",
                "By the formula a division by zero; by definition greedy, which is the limit.",
            ),
        ),
    ),
    Topic(
        "Probability against temperature",
        "The same two logits: a cold sampler takes the larger one, a hot one tosses a coin. The gap of 1 between the "
        "logits is 1/T after the division, so P(2) = 1 / (1 + exp(-1/T)): from 1 down to 1/2, never below.\n\n"
        "![As the temperature rises from 0 to 3, P(2) falls from 1 and P(1) rises from 0](textbook.svg)",
        (
            Case("0.731", "1 / (1 + np.exp(-1 / 1.0))", "T = 1, by the formula."),
            Case("above 0.5", "ca.Sampler([ca.Temperature(1000)]).probs([1.0, 2.0])[1]"),
        ),
        setup=f"temperatures = {TEMPERATURES}",
        columns=("temperature", "P(1)", "P(2)", "entropy in nats"),
        rows="""[
    (t, *ca.Sampler([ca.Temperature(t)]).probs([1.0, 2.0]), twin.entropy(np.array([1.0, 2.0]) / t))
    for t in temperatures
]""",
    ),
    Topic(
        "The probability of a text",
        '"I love food", with the probabilities 0.2, 0.1 and 0.3 of its words: the product, or the sum of the logarithms.',
        (
            Case("0.006", "np.prod(p)"),
            Case(
                "0.006",
                "repr(0.2 * 0.1 * 0.3)",
                "None of the three is a binary fraction; each is off in the 17th digit, and repr shows that many.",
                instead="0.006000000000000001",
            ),
            Case("-5.116", "np.log(p).sum()"),
            Case("-1.609, -2.303, -1.204", "np.log(p)"),
            Case("-1.705", "np.log(p).mean()", "Per token, so that texts of different lengths compare."),
            Case("5.50", "np.exp(-np.log(p).mean())", "Its perplexity: as uncertain as between 5.5 equal choices."),
        ),
        setup="p = np.array([0.2, 0.1, 0.3])",
    ),
    Topic(
        "Why logarithms",
        "The product of 1,000 probabilities, of 0.5 or 0.1 each, against the sum of their logarithms. The smallest float32 above 0 is 2^-149 "
        "= 1.4e-45, the smallest float64 2^-1074 = 4.9e-324.",
        (
            Case("0", "np.prod(half.astype(np.float32))", "2^-1000 in float32."),
            Case("150", "int(np.argmin(np.cumprod(half.astype(np.float32)))) + 1", "Factors until it is 0."),
            Case("9.33e-302", "np.prod(half)", "float64 still holds it,"),
            Case("0", "np.prod(tenth)", "but not 10^-1000."),
            Case("-693.147", "np.log(half).sum()"),
            Case(
                "-693.15",
                "round(float(np.log(half.astype(np.float32)).sum()), 2)",
                "In float32 too: a sum loses digits, not the number.",
            ),
            Case("-2302.585", "np.log(tenth).sum()"),
        ),
        setup="half, tenth = np.full(1000, 0.5), np.full(1000, 0.1)",
    ),
    Topic(
        "Top-p",
        "yes 60 %, maybe 32 %, no 7.5 %, never 0.5 %: added up from the top 60, 92, 99.5, 100. Top-p keeps the smallest "
        "set that holds p, so the token that reaches p is kept.",
        (
            Case("{yes, maybe}", "kept(0.9)"),
            Case("{yes, maybe, no}", "kept(0.99)"),
            Case("[0.652, 0.348, 0, 0]", "ca.Sampler([ca.TopP(0.9)]).probs(logits)", "Shared out again: 60/92, 32/92."),
            Case("{yes}", "kept(0.5)"),
            Case("0.08", "ca.Sampler([ca.TopP(0.9)], seed=7).explain(logits).stages[0].mass_removed"),
            Case(
                "{yes, maybe}",
                "kept(0.9, log(np.array([0.6, 0.3, 0.1])))",
                "Now 60, 30 and 10 %. On paper 0.6 + 0.3 reaches 0.9; in binary the sum is a hair below it, so `no` comes in "
                "too and nothing is removed. A p that a sum meets exactly is decided by the 17th digit.",
                instead="{yes, maybe, no}",
            ),
        ),
        setup="""\
words = ["yes", "maybe", "no", "never"]
logits = log(np.array([0.60, 0.32, 0.075, 0.005]))


def kept(p, logits=logits):
    return [words[i] for i in np.flatnonzero(ca.Sampler([ca.TopP(p)]).probs(logits))]""",
    ),
    Topic(
        "Drawn as often as they say",
        "green 50 %, red 30 %, blue 20 %, drawn 10,000 times: the seed fixes the draws, the step counts them. Chance keeps "
        "the counts off 5,000, 3,000 and 2,000; chi-square tells how far off chance alone goes: above the critical value "
        "once in a thousand times. A wrong distribution must exceed it, or the test shows nothing.",
        (
            Case("[50 %, 30 %, 20 %]", "probs"),
            Case("[50 %, 30 %, 20 %]", "drawn / 10_000"),
            Case("13.816", "chi_square.critical(df=2)", "Three colours, two of them free; tables print this."),
            Case("below 13.816", "chi_square.statistic(drawn, 10_000 * probs)"),
            Case(
                "above 13.816",
                "chi_square.statistic(drawn, 10_000 * np.array([0.48, 0.32, 0.20]))",
                "The same draws against a distribution that is wrong by two points: rejected.",
            ),
            Case(
                "above 13.816",
                "chi_square.statistic(drawn, 10_000 * ca.Sampler([ca.Temperature(0.9)]).probs(logits))",
                "Against one with another temperature: rejected.",
            ),
            Case(
                "below 13.816",
                "chi_square.statistic(draw_colours(seed=7), 10_000 * probs)",
                "Once in a thousand is not never, and seed 7 is one of them. Whether there are too many such seeds, the "
                "next case asks of a hundred.",
                instead="14.67",
            ),
            Case("below 27.877", "chi_square.statistic(by_tenths, np.full(10, 10.0))", "df 9: see below."),
        ),
        setup="""\
logits = log(np.array([0.5, 0.3, 0.2]))
probs = ca.Sampler().probs(logits)


def draw_colours(seed, n=10_000):
    sampler = ca.Sampler(seed=seed)
    return np.bincount([sampler.sample(logits, step=i) for i in range(n)], minlength=3)


drawn = draw_colours(seed=0)
# Honest draws make every tail probability equally likely: 100 seeds, ten in each tenth of [0, 1].
tails = [chi_square.tail(chi_square.statistic(draw_colours(seed, 1000), 1000 * probs), df=2) for seed in range(100)]
by_tenths = np.histogram(tails, 10, (0, 1))[0]""",
        columns=("colour", "probability", "drawn of 10,000"),
        rows='list(zip(["green", "red", "blue"], probs, drawn.tolist()))',
    ),
    Topic(
        "Three tries at 50 %",
        "At least one success in three tries: 1 - 0.5 * 0.5 * 0.5. Then 4,000 times three draws.",
        (
            Case("87.5 %", "1 - ca.Sampler().probs([0.0, 0.0])[0] ** 3", "Exact: halves are binary fractions."),
            Case("0.875", "repr(float(1 - ca.Sampler().probs([0.0, 0.0])[0] ** 3))"),
            Case(
                "87.5 %",
                "success.mean()",
                "By drawing: chance, 0.5 points of standard deviation, sqrt(0.875 * 0.125 / 4000).",
                instead="87.0 %",
            ),
            Case("10.828", "chi_square.critical(df=1)"),
            Case("below 10.828", "chi_square.statistic(counts, 4000 * np.array([0.125, 0.875]))"),
            Case("above 10.828", "chi_square.statistic(counts, 4000 * np.array([0.15, 0.85]))", "85 % is rejected."),
        ),
        setup="""\
coin = ca.Sampler(seed=3)
tries = np.array([coin.sample([0.0, 0.0], step=i) for i in range(12_000)]).reshape(4000, 3)
success = tries.any(axis=1)
counts = np.bincount(success)""",
    ),
    Topic(
        "NumPy written out against the engine",
        "`cutaway.reference.sampler` writes every stage in a few lines of NumPy. Here 300 random rows of 257 logits, a fifth "
        "of them tied, some forbidden (-inf): how many rows have the same candidates and the same probabilities, to the "
        "last bit.",
        (
            twin_case("('temperature', 0)", "ca.Temperature(0)"),
            twin_case("('top_k', 40)", "ca.TopK(40)"),
            twin_case("('top_p', 0.9)", "ca.TopP(0.9)"),
            twin_case("('min_p', 0.05)", "ca.MinP(0.05)"),
            twin_case(
                "('temperature', 0.7), ('top_k', 40), ('top_p', 0.95)",
                "ca.Temperature(0.7), ca.TopK(40), ca.TopP(0.95)",
            ),
            Case(
                "300",
                "sum(ca.Sampler([ca.Temperature(0)]).sample(row) == np.argmax(row) for row in rows)",
                "Greedy is argmax: of equal logits the lower id.",
            ),
        ),
        setup="""\
rng = np.random.default_rng(0)
rows = (3 * rng.standard_normal((300, 257))).astype(np.float32)
rows[rng.random(rows.shape) < 0.2] = 1.5
rows[rng.random(rows.shape) < 0.05] = -np.inf""",
    ),
    Topic(
        "A widespread top-p that is wrong",
        "It keeps the right tokens, and then takes the softmax of their *ids* in place of their logits. `np.argsort` gives "
        "positions, and `exp(ids)` raises no error: whatever stands last in the vocabulary wins, however improbable. The "
        "right line is `chances = probs[kept] / probs[kept].sum()`. Looking at the kept set finds nothing; counting draws "
        "does.",
        (
            Case("[0, 1, 2, 3]", "sorted(ids)", "The kept set of the wrong code"),
            Case("[0, 1, 2, 3]", "np.flatnonzero(right)", "and of the engine: the same."),
            Case(
                "[0.032, 0.087, 0.237, 0.644]",
                "right[:4]",
                "Printed: the wrong code's probabilities of tokens 0 to 3, whatever the logits are. The most probable "
                "token comes up once in 31 draws.",
                instead="[0.421, 0.263, 0.211, 0.105]",
            ),
            Case("[0.032, 0.087, 0.237, 0.644]", "[wrong_chances[ids.index(i)] for i in range(4)]"),
            Case("16.266", "chi_square.critical(df=3)"),
            Case("below 16.266", "chi_square.statistic(drawn, 5000 * right)", "The engine's 5,000 draws: accepted."),
            Case("above 16.266", "chi_square.statistic(drawn_wrong, 5000 * right)", "The wrong code's: rejected."),
        ),
        setup="""\
def wrong_top_p(logits, p):
    probs = np.exp(logits) / np.exp(logits).sum()
    order = np.argsort(-probs, kind="stable")
    kept = order[: 1 + (np.cumsum(probs[order]) < p).sum()]
    chances = np.exp(kept - kept.max()) / np.exp(kept - kept.max()).sum()  # wrong: these are ids
    return kept.tolist(), chances


logits = log(np.array([0.40, 0.25, 0.20, 0.10, 0.05]))
sampler = ca.Sampler([ca.TopP(0.92)], seed=5)
right = sampler.probs(logits)
drawn = np.bincount([sampler.sample(logits, step=i) for i in range(5000)], minlength=5)
ids, wrong_chances = wrong_top_p(logits, 0.92)
wrong = np.zeros(5)
wrong[ids] = wrong_chances
drawn_wrong = np.bincount([twin.draw(wrong, twin.uniform(5, i)) for i in range(5000)], minlength=5)""",
    ),
    Topic(
        "Low, never zero",
        "A token of probability 1 in 10,000 is improbable in one draw and likely in many: 1 - (1 - p)^n. Top-p and min-p "
        "make it impossible where the model is sure of something else, and leave it where the model is not.",
        (
            Case("0.01 %", "1 - (1 - p) ** 1"),
            Case("9.5 %", "1 - (1 - p) ** 1000", "A text of 1,000 tokens."),
            Case("63.2 %", "1 - (1 - p) ** 10_000", "Ten thousand draws do not make it certain: 1 - 1/e."),
            Case("6932", "int(np.ceil(np.log(0.5) / np.log(1 - p)))", "Draws until it is as likely as not."),
            Case("0.0001", "ca.Sampler([ca.Temperature(1)]).probs(sure)[2]"),
            Case(
                "10",
                "int((drawn == 2).sum())",
                "Of 100,000 draws; 10 is the mean, and chance gives 10 plus or minus 3.2, the square root.",
                instead="12",
            ),
            Case("below 10.828", "chi_square.statistic(np.bincount(drawn == 2), 100_000 * np.array([1 - p, p]))"),
            Case("0", "ca.Sampler([ca.TopP(0.99)]).probs(sure)[2]", "Top-p cuts it: 0.9 + 0.0999 reach 0.99."),
            Case("0", "ca.Sampler([ca.MinP(0.05)]).probs(sure)[2]", "Min-p cuts it: 0.0001 is below 0.05 * 0.9."),
            Case("0.0001", "ca.Sampler([ca.TopP(0.99999)]).probs(sure)[2]", "This p is too wide to cut it."),
            Case(
                "10000",
                "int((ca.Sampler([ca.MinP(0.05)]).probs(flat) > 0).sum())",
                "Of 10,000 equal ones min-p cuts none.",
            ),
            Case(
                "9000",
                "int((ca.Sampler([ca.TopP(0.9)]).probs(flat) > 0).sum())",
                "1/10,000 is no binary fraction: 9,000 of them added up one by one stay a little below 0.9, so one more "
                "is needed.",
                instead="9001",
            ),
        ),
        setup="""\
p = 1 / 10_000
sure, flat = log(np.array([0.9, 0.0999, 0.0001])), np.zeros(10_000)
sampler = ca.Sampler(seed=1)
drawn = np.array([sampler.sample(sure, step=i) for i in range(100_000)])""",
        columns=("draws n", "1 - (1 - p)^n"),
        rows="[(n, 1 - (1 - p) ** n) for n in (1, 10, 100, 1000, 6932, 10_000, 30_000, 100_000)]",
    ),
    Topic(
        "The ledger, by hand",
        "Four equal logits and top-k 2: everything in the ledger is a half, a quarter or a logarithm of 2. Then the dice: "
        "u falls into one part of [0, 1), and the parts lie in the order of the token ids.",
        (
            Case("0.5", "stage.mass_removed", "Two of four equal ones."),
            Case("1.386, 0.693", "[stage.entropy_before, stage.entropy_after]", "ln 4 and ln 2."),
            Case("0.25, 0.5", "[stage.top_before, stage.top_after]"),
            Case("4, 2", "[stage.candidates_in, stage.candidates_out]"),
            Case("-1.386, -0.693", "[draw.logprob, draw.sampled_logprob]", "Before any stage and after all."),
            Case("True", "draw.low <= draw.u < draw.high"),
            Case("True", "draw.u == twin.uniform(seed=7, step=0)", "The dice are a formula of seed and step."),
            Case("True", "draw.high - draw.low == draw.probability == 0.5"),
            Case("[0, 1]", "[greedy.low, greedy.high]", "Temperature 0: one candidate, whatever u is."),
            Case("0", "greedy.sampled_logprob"),
        ),
        setup="""\
explanation = ca.Sampler([ca.TopK(2)], seed=7).explain([0.0, 0.0, 0.0, 0.0])
stage, draw = explanation.stages[0], explanation.draw
greedy = ca.Sampler([ca.Temperature(0)], seed=7).explain([0.0, 2.0, 1.0]).draw
colours = ca.Sampler(seed=3)
draws = [colours.explain(log(np.array([0.5, 0.3, 0.2])), step=i).draw for i in range(6)]""",
        columns=("step", "u", "from", "to", "colour"),
        rows='[(i, d.u, d.low, d.high, ["green", "red", "blue"][d.token]) for i, d in enumerate(draws)]',
    ),
)
