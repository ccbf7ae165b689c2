"""What a language costs: the same texts in many languages, counted by tokenizers. `ca.language_cost`."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from .arguments import check_text, checked_arguments, described
from .errors import ArgumentError, Error
from .nearest import did_you_mean, nearest
from .parallel import read_massive
from .views.given import name_of, named_tokenizer
from .views.table import Table

if TYPE_CHECKING:
    from .views.page import View

# Median tokens per utterance of MASSIVE, as published for cl100k_base (Yennie Jun, "All languages are NOT created
# (tokenized) equal", 2023).
PUBLISHED = {"English": 7, "Hindi": 32, "Burmese": 72}
# Scripts that write words without a space between them, as Unicode's character names begin.
_UNSPACED = {"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "JAVANESE"}
_WORD_MARKS = str.maketrans({"\u1361": " ", "\u200b": " "})  # the Ethiopic word space, the zero-width space


@dataclass(frozen=True)
class LanguageRow:
    """One language under one tokenizer."""

    tokenizer: str
    language: str
    texts: int
    tokens: float
    """Tokens per text, median."""
    per_character: float
    """Tokens of all texts over their Unicode code points."""
    per_byte: float
    """Tokens of all texts over their bytes of UTF-8."""
    per_word: float
    """Tokens of all texts over their words, what white space separates; NaN for scripts that write none between."""
    ratio: float
    """`tokens` over that of the reference language: so many times its latency and its price."""
    seconds: float | None
    """Time to generate the median text, where a speed is given."""
    usd: float | None
    """US dollars for 1,000 texts of the mean length, where a price is given."""
    published: float | None
    """The published median, where this is MASSIVE."""


@checked_arguments
class LanguageCost(Table[LanguageRow]):
    """Rows in the order tokenizer, then language, the dearest first. `.plot()`: bars of the ratio.

    `.reference`: the language that ratios are to. `.massive`: the same over MASSIVE, beside the published medians,
    where its folder was given; else None.
    """

    title = "Cost of language"

    def __init__(
        self,
        rows: Sequence[LanguageRow],
        reference: str = "English",
        massive: LanguageCost | None = None,
        speed: float | None = None,
        price: float | None = None,
    ) -> None:
        super().__init__(rows)
        self.reference, self.massive = reference, massive
        self._speed, self._price = speed, price
        shown = ["tokenizer", "language", "texts", "tokens (median)", "per character", "per byte", "per word"]
        shown.append(f"x {reference}")
        shown += ["seconds"] if speed is not None else []
        shown += ["USD / 1,000"] if price is not None else []
        shown += ["published"] if any(row.published is not None for row in rows) else []
        self.columns = tuple(shown)
        said = [f"x {reference}: so many times its tokens, and so of its latency and price"]
        said += [f"seconds: the median text at {speed:g} tokens a second"] if speed is not None else []
        said += [f"USD: 1,000 texts at {price:g} USD per million tokens"] if price is not None else []
        self.note = "; ".join(said)

    def __getitem__(self, index: Any) -> Any:
        """Rows by number, or the rows of a language or of a tokenizer by name."""
        if isinstance(index, str):
            found = [row for row in self if index in (row.language, row.tokenizer)]
            if not found:
                names = list(dict.fromkeys(name for row in self for name in (row.language, row.tokenizer)))
                near = did_you_mean(map(repr, nearest(index, names)), f"There are {', '.join(names)}.")
                raise ArgumentError(f"There is no language and no tokenizer {index!r} here.{near}")
            return self._with(found)
        return self._with(self._rows[index]) if isinstance(index, slice) else super().__getitem__(index)

    def _with(self, rows: Sequence[LanguageRow]) -> LanguageCost:
        return LanguageCost(rows, self.reference, self.massive, self._speed, self._price)

    def cells(self, row: LanguageRow) -> tuple[str, ...]:
        numbers = (row.per_character, row.per_byte, row.per_word)
        out = [row.tokenizer, row.language, f"{row.texts:,}", f"{row.tokens:g}"]
        out += ["" if math.isnan(number) else f"{number:.3f}" for number in numbers]
        out += [f"{row.ratio:.2f}"]
        out += [f"{row.seconds:.2f}"] if row.seconds is not None else []
        out += [f"{row.usd:.4g}"] if row.usd is not None else []
        if "published" in self.columns:
            out += ["" if row.published is None else f"{row.published:g}"]
        return tuple(out)

    def records(self) -> list[dict[str, Any]]:
        """One per row."""
        return [asdict(row) for row in self]

    def __repr__(self) -> str:
        own = f"{super().__repr__()}\n{self.note}"
        return own if self.massive is None else f"{own}\n\nMASSIVE\n{self.massive!r}"

    def view(self) -> View:
        """The table, and a bar for each ratio."""
        from .views.page import View, escape, wide
        from .views.table import html_table, plain_text

        most = max((row.ratio for row in self), default=1.0)
        bars = "".join(
            f"<tr><td>{escape(row.tokenizer)}</td><td>{escape(row.language)}</td><td class=n>{row.ratio:.2f}</td>"
            f"<td style=width:60%><i class=bar style=width:{100 * row.ratio / most:.1f}%></i></td></tr>"
            for row in self
        )
        heads = f"<tr><th>tokenizer</th><th>language</th><th class=n>x {escape(self.reference)}</th><th></th></tr>"
        picture = wide(f"<table style=width:100%><thead>{heads}</thead><tbody>{bars}</tbody></table>", "ratios")
        table = html_table(self.columns, [self.cells(row) for row in self])
        more = "" if self.massive is None else f"<h4>MASSIVE</h4>{self.massive.view()._body}"
        body = (
            f"<h4>{self.title}</h4>{picture}<details><summary>all numbers</summary>{table}</details>"
            f"<p class=dim>{escape(self.note)}</p>{more}"
        )
        return View(self.title, body, lambda: plain_text(repr(self)), records=self.records)

    def plot(self, ax: Any = None) -> Any:
        """Bars of the ratio, a group per language and a colour per tokenizer: matplotlib Axes.

        ax: draw into these; None makes a figure. ca.Error where matplotlib is not installed.
        """
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            raise Error(
                "plot needs matplotlib, which is not installed here: pip install matplotlib, or pip install '.[viz]' "
                "in the folder of cutaway"
            ) from None
        tokenizers = list(dict.fromkeys(row.tokenizer for row in self))
        ratios = {(row.tokenizer, row.language): row.ratio for row in self}
        languages = sorted({row.language for row in self}, key=lambda one: (max(_of(ratios, one)), one))
        if ax is None:
            _, ax = plt.subplots(figsize=(8, 1 + 0.16 * len(languages) * (1 + len(tokenizers))), layout="constrained")
        height = 0.8 / max(len(tokenizers), 1)
        for i, tokenizer in enumerate(tokenizers):
            at = [y + height * ((len(tokenizers) - 1) / 2 - i) for y in range(len(languages))]
            ax.barh(at, [ratios.get((tokenizer, one), 0.0) for one in languages], height, label=tokenizer)
        ax.set_yticks(range(len(languages)), languages)
        ax.margins(y=0.01)
        ax.axvline(1, color="0.5", linewidth=0.8)
        ax.set_xlabel(f"median tokens per text, x {self.reference}")
        ax.legend()
        return ax


def _of(ratios: Mapping[tuple[str, str], float], language: str) -> list[float]:
    return [ratio for (_, one), ratio in ratios.items() if one == language]


@checked_arguments
def language_cost(
    texts: Mapping[str, Sequence[str]],
    tokenizers: Any,
    reference: str = "English",
    *,
    tokens_per_second: float | None = None,
    usd_per_million: float | None = None,
    massive: str | os.PathLike[str] | None = None,
) -> LanguageCost:
    """What the same texts cost in many languages: tokens per text, character, byte and word, and times English.

    texts: {language: [text, ...]}, parallel: text i says the same in each; `ca.read_udhr` reads some. tokenizers: a
    Tokenizer, a Model or a name as `ca.tokenizer` takes it, a list of them, or {name: one}. reference: the language
    that ratios are to. tokens_per_second, usd_per_million: a speed and a price (US dollars per million tokens), for the
    columns seconds and USD. massive: the folder of MASSIVE, counted too (its test partition), beside the published
    medians.

    ArgumentError where the lists are not of one length, a text is empty, or the reference is not among the languages.
    """
    named = _named(tokenizers)
    speed, price = _positive("tokens_per_second", tokens_per_second), _positive("usd_per_million", usd_per_million)
    listed = _parallel(texts, reference)
    beside = None
    if massive is not None:
        utterances = _parallel(read_massive(massive), reference)
        beside = LanguageCost(
            _rows(utterances, named, reference, speed, price, PUBLISHED), reference, None, speed, price
        )
    return LanguageCost(_rows(listed, named, reference, speed, price, {}), reference, beside, speed, price)


def _rows(
    texts: Mapping[str, Sequence[str]],
    tokenizers: Mapping[str, Any],
    reference: str,
    speed: float | None,
    price: float | None,
    published: Mapping[str, float],
) -> list[LanguageRow]:
    sizes = {
        language: (sum(map(len, some)), sum(len(one.encode()) for one in some), sum(map(_words, some)))
        for language, some in texts.items()
    }
    rows = []
    for name, tokenizer in tokenizers.items():
        counts = {language: [int(tokenizer.count(one)) for one in some] for language, some in texts.items()}
        due = median(counts[reference])
        if not due:
            raise ArgumentError(f"{name} makes no tokens of the texts in {reference}, so there is no ratio to them.")
        own = []
        for language, of_texts in counts.items():
            total, middle = sum(of_texts), median(of_texts)
            characters, n_bytes, words = sizes[language]
            row = LanguageRow(
                tokenizer=name,
                language=language,
                texts=len(of_texts),
                tokens=middle,
                per_character=total / characters,
                per_byte=total / n_bytes,
                per_word=total / words if words else math.nan,
                ratio=middle / due,
                seconds=None if speed is None else middle / speed,
                usd=None if price is None else 1000 * mean(of_texts) * price / 1e6,
                published=published.get(language),
            )
            own.append(row)
        rows += sorted(own, key=lambda row: -row.ratio)  # a stable sort: ties stay as given
    return rows


def _words(text: str) -> int:
    """How many words white space separates; 0 where most letters are of a script that writes none between them."""
    letters = [c for c in text if c.isalpha()]
    unspaced = sum(unicodedata.name(c, "").split(" ")[0].split("-")[0] in _UNSPACED for c in letters)
    return 0 if 2 * unspaced > len(letters) else len(text.translate(_WORD_MARKS).split())


def _parallel(texts: Any, reference: str) -> dict[str, list[str]]:
    if not isinstance(texts, Mapping) or not texts:
        raise ArgumentError(f"texts is {{language: [text, ...]}}, got {described(texts)}.")
    listed = {}
    for language, some in texts.items():
        if not isinstance(language, str) or isinstance(some, (str, bytes)) or not isinstance(some, Iterable):
            raise ArgumentError(f"texts is {{language: [text, ...]}}, got {described(some)} for {language!r}.")
        listed[language] = list(some)
        for i, text in enumerate(listed[language]):
            if not isinstance(text, str) or not text:
                raise ArgumentError(f"Text {i} in {language} is {described(text)}, expected a text that is not empty.")
            check_text(f"Text {i} in {language}", text)
    if reference not in listed:
        near = did_you_mean(map(repr, nearest(reference, listed)), "Pass reference=, one of the languages of texts.")
        raise ArgumentError(f"There are no texts in {reference!r}, which ratios are to.{near}")
    lengths = {language: len(some) for language, some in listed.items()}
    for language, n in lengths.items():
        if n != lengths[reference] or not n:
            raise ArgumentError(
                f"The texts are not parallel: {language} has {n:,}, {reference} has {lengths[reference]:,}. Text i "
                "must say the same in each."
            )
    return listed


def _named(tokenizers: Any) -> dict[str, Any]:
    call = "language_cost(texts, tokenizers)"
    if isinstance(tokenizers, Mapping):
        pairs = [(str(name), named_tokenizer(one, call)) for name, one in tokenizers.items()]
    else:
        several = tokenizers if isinstance(tokenizers, (list, tuple)) else [tokenizers]
        found = [named_tokenizer(one, call) for one in several]
        own = [f"tokenizer {i + 1}" if len(several) > 1 else "tokenizer" for i in range(len(several))]
        pairs = [(name_of(one) or name, one) for name, one in zip(own, found, strict=True)]
    out: dict[str, Any] = {}
    for name, one in pairs:
        out[name if name not in out else f"{name} ({len(out) + 1})"] = one
    if not out:
        raise ArgumentError("tokenizers is empty; expected a Tokenizer, a list of them, or {name: tokenizer}.")
    return out


def _positive(name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = float(value) if not isinstance(value, (bool, str, bytes)) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise ArgumentError(f"{name} must be a number above 0, got {described(value)}.")
    return number
