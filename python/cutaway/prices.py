"""What tokens cost at a provider: `ca.cost`, from the price table that the litellm package carries."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import checked_arguments, described
from .errors import ArgumentError, Error, FormatError
from .nearest import did_you_mean, nearest
from .numbers import whole
from .views.shown import Shown

if TYPE_CHECKING:
    from .views.page import View

FILE = "model_prices_and_context_window_backup.json"
_MILLION = 1_000_000
_MOST = 2**53 - 1  # tokens
_FIRST_YEAR = 2020  # before it nobody sold tokens
_ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
# Other things that a model may be paid by, in the table's words.
_UNITS = "request|query|second|image|pixel|character|page|video"
_OTHER = re.compile(rf"(input_|output_|ocr_|annotation_)?cost_per_({_UNITS}).*")


@dataclass(frozen=True)
class PriceTable:
    """Prices by model, as the file has them, and where and when they are from."""

    models: Mapping[str, Mapping[str, Any]]
    source: str
    """Such as "litellm 1.109.1", or the path of a file."""
    date: str
    """Such as "built 2026-11-12": of the wheel where it says so, else when the file was written on this machine, as far
    as its time tells."""


@checked_arguments
@dataclass(frozen=True)
class Cost(Shown):
    """What one call costs. Amounts are US dollars; prices are US dollars per million tokens."""

    model: str
    input_tokens: int
    output_tokens: int
    input_price: float
    """US dollars per million tokens of input."""
    output_price: float
    tier: str
    """Which of a model's prices: empty for its only one, else such as "above 200,000 tokens of input"."""
    source: str
    """Where the prices are from, such as "litellm 1.109.1"."""
    date: str
    """How old they are, such as "built 2026-11-12"."""

    @property
    def input_usd(self) -> float:
        return float(self._part(self.input_tokens, self.input_price))

    @property
    def output_usd(self) -> float:
        return float(self._part(self.output_tokens, self.output_price))

    @property
    def usd(self) -> float:
        """Input and output together. The sum is exact in decimals, and rounded once."""
        parts = ((self.input_tokens, self.input_price), (self.output_tokens, self.output_price))
        return float(sum(self._part(*part) for part in parts))

    def _part(self, tokens: int, price: float) -> Decimal:
        return tokens * Decimal(repr(price)) / _MILLION

    def _lines(self) -> Iterator[tuple[str, str, str, str]]:
        """part, tokens, US dollars per million, US dollars."""
        parts = (
            ("input", self.input_tokens, self.input_price, self.input_usd),
            ("output", self.output_tokens, self.output_price, self.output_usd),
        )
        for name, tokens, price, usd in parts:
            yield name, f"{tokens:,}", f"{price:,.4g}" if price < 0.01 else f"{price:,.2f}", dollars(usd)
        yield "total", f"{self.input_tokens + self.output_tokens:,}", "", dollars(self.usd)

    def _note(self) -> str:
        tier = f"; the price {self.tier}" if self.tier else ""
        free = "; the table gives this model a price of 0" if not (self.input_price or self.output_price) else ""
        return f"prices: {self.source}, {self.date}{tier}{free}"

    def __repr__(self) -> str:
        from .views.table import text_table

        columns = ("part", "tokens", "USD per million", "USD")
        return f"{self.model}: {dollars(self.usd)} USD\n{text_table(columns, [*self._lines()])}\n{self._note()}"

    def records(self) -> list[dict[str, Any]]:
        """One for the input, one for the output."""
        said = {"model": self.model}
        return [
            said | {"part": "input", "tokens": self.input_tokens, "price": self.input_price, "usd": self.input_usd},
            said | {"part": "output", "tokens": self.output_tokens, "price": self.output_price, "usd": self.output_usd},
        ]

    def view(self) -> View:
        """The sum as a table."""
        from .views.page import View, escape
        from .views.table import html_table, plain_text

        table = html_table(("part", "tokens", "USD per million", "USD"), [*self._lines()])
        head = f"<h4>{escape(self.model)}: {dollars(self.usd)} USD</h4>"
        body = f"{head}{table}<p class=dim>{escape(self._note())}</p>"
        return View(f"Cost of {self.model}", body, lambda: plain_text(repr(self)), records=self.records)


@checked_arguments
def cost(model: str, input_tokens: int, output_tokens: int = 0, table: str | os.PathLike[str] | None = None) -> Cost:
    """What a call of a hosted model costs: `.usd`, `.input_usd`, `.output_usd`, and how old the prices are.

    model: a name of the price table, such as "gpt-4o". input_tokens, output_tokens: whole numbers, 0 or more.
    table: a JSON file of the same form; None is the one inside the installed litellm package, which is read but never
    imported. Prices are those of plain text: no batch, priority, cache or off-peak rate. Where a model costs more for
    long inputs, the price of this length is taken for the whole call.

    ArgumentError for a model that the table lacks, with near misses, or does not price by the token; Error where
    litellm is not installed.
    """
    tokens_in = whole("input_tokens", input_tokens, 0, _MOST)
    tokens_out = whole("output_tokens", output_tokens, 0, _MOST)
    if not isinstance(model, str):
        raise ArgumentError(f"model is a name of the price table, such as 'gpt-4o', got {described(model)}.")
    found = price_table(table)
    entry = found.models.get(model)
    if entry is None:
        near = nearest(model, found.models, cutoff=0.6)
        near = near or [name for name in found.models if len(model) > 2 and model.lower() in name.lower()][:2]
        none = f"It has {len(found.models):,} models; a provider's name may go before it, as in 'azure/gpt-4o'."
        raise ArgumentError(
            f"There is no model {model!r} in the price table of {found.source}.{did_you_mean(map(repr, near), none)}"
        )
    price_in, price_out, tier = _prices(model, entry, tokens_in, tokens_out)
    return Cost(model, tokens_in, tokens_out, price_in, price_out, tier, found.source, found.date)


def price_table(path: str | os.PathLike[str] | None = None) -> PriceTable:
    """The table of a file, or of the installed litellm. Read once per file and modification time."""
    if path is None:
        return _installed()
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"table is the path of a JSON file of prices, got {described(path)}.")
    file = Path(path).expanduser().absolute()
    return PriceTable(_read(file), str(file), _dated("written", file))


def _installed() -> PriceTable:
    try:
        distribution = importlib.metadata.distribution("litellm")
    except importlib.metadata.PackageNotFoundError:
        raise Error(
            "Prices come with the package litellm, which is not installed here: pip install litellm (with --no-deps "
            "the table alone is enough), or pip install '.[prices]' in the folder of cutaway; or pass table=, a file."
        ) from None
    file = Path(str(distribution.locate_file(f"litellm/{FILE}"))).absolute()
    if not file.is_file():  # installed from a folder; the package is found, not run
        spec = importlib.util.find_spec("litellm")
        places = [] if spec is None else [Path(folder) / FILE for folder in spec.submodule_search_locations or ()]
        file = next((place for place in places if place.is_file()), file)
    built = _built(distribution)
    date = f"built {built}" if built else _dated("installed", file)
    return PriceTable(_read(file), f"litellm {distribution.version}", date)


def _built(distribution: importlib.metadata.Distribution) -> str | None:
    """The day on which a wheel was built, by its bill of materials; the times in its archive are often blank."""
    for part in distribution.files or ():
        if part.name.endswith(".cyclonedx.json") and part.parts[0].endswith(".dist-info"):
            with open(str(distribution.locate_file(part)), encoding="utf-8") as file:
                head = file.read(4096)
            if stamp := re.search(r'"timestamp":\s*"(\d{4}-\d\d-\d\d)T', head):
                return stamp[1]
    return None


def _modified(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError as err:
        raise ArgumentError(f"The price table {file} cannot be read: {err.strerror or err}.") from None


def _dated(what: str, file: Path) -> str:
    """When a file came here, as far as its time tells: archives that are made reproducible have a blank one, such as
    1980-01-01, which no price table is as old as."""
    day = datetime.fromtimestamp(_modified(file) / 1e9, timezone.utc).date()
    return f"{what} {day.isoformat()}" if day.year >= _FIRST_YEAR else "of a date that its file does not tell"


def _read(file: Path) -> Mapping[str, Mapping[str, Any]]:
    return _parsed(file, _modified(file))


@functools.lru_cache(maxsize=4)
def _parsed(file: Path, modified: int) -> Mapping[str, Mapping[str, Any]]:
    try:
        table = json.loads(file.read_text("utf-8"), parse_float=Decimal)
    except OSError as err:
        raise ArgumentError(f"The price table {file} cannot be read: {err.strerror or err}.") from None
    except (ValueError, RecursionError) as err:
        raise FormatError(f"{file} is no price table: it is not JSON ({err}).") from None
    if not isinstance(table, dict) or not all(isinstance(entry, dict) for entry in table.values()):
        raise FormatError(
            f"{file} is no price table: expected {{model: {{input_cost_per_token, output_cost_per_token, ...}}}}."
        )
    return {name: entry for name, entry in table.items() if name != "sample_spec"}


def _prices(model: str, entry: Mapping[str, Any], tokens_in: int, tokens_out: int) -> tuple[float, float, str]:
    """US dollars per million tokens in and out, and the tier that they are of."""
    names, tier = ("input_cost_per_token", "output_cost_per_token"), ""
    found = [entry.get(name) for name in names]
    above = sorted(int(hit[1]) for name in entry if (hit := _ABOVE.fullmatch(name)) and entry[name] is not None)
    for thousands in above:
        if tokens_in > 1000 * thousands:
            tier = f"above {1000 * thousands:,} tokens of input"
            longer = [entry.get(f"{name}_above_{thousands}k_tokens") for name in names]
            found = [new if new is not None else old for new, old in zip(longer, found, strict=True)]
    if found == [None, None] and entry.get("tiered_pricing"):
        found, tier = _tiered(model, entry["tiered_pricing"], tokens_in)
    other = sorted(name for name, value in entry.items() if _OTHER.fullmatch(name) and value)
    by_request = [name for name in other if name.endswith("_per_request")]
    if by_request or (other and not any(found)) or found == [None, None]:
        paid = ", ".join(by_request or other) or "nothing that is counted in tokens"
        raise ArgumentError(
            f"The price table has {model!r}, but does not price it by the token alone: it is paid by {paid}. Reckon it "
            "by those figures."
        )
    for name, tokens, price in zip(("input", "output"), (tokens_in, tokens_out), found, strict=True):
        if tokens and price is None:
            raise ArgumentError(f"The price table has no {name} price for {model!r}; pass {name}_tokens=0.")
    rates = [_MILLION * _number(model, price) for price in found]
    return float(rates[0]), float(rates[1]), tier


def _tiered(model: str, tiers: Any, tokens_in: int) -> tuple[list[Any], str]:
    """The prices of the tier that an input of this length falls into."""
    try:
        bounds = [(int(tier["range"][0]), int(tier["range"][1])) for tier in tiers]
    except (TypeError, KeyError, IndexError, ValueError, OverflowError):
        raise FormatError(f"The price table's tiers for {model!r} are not of the form {{range: [from, to]}}.") from None
    for tier, (least, most) in zip(tiers, bounds, strict=True):
        if tokens_in <= most:
            said = f"for inputs of {least:,} to {most:,} tokens"
            return [tier.get("input_cost_per_token"), tier.get("output_cost_per_token")], said
    raise ArgumentError(
        f"The price table prices {model!r} up to {max((m for _, m in bounds), default=0):,} tokens of input, got "
        f"{tokens_in:,}."
    )


def _number(model: str, price: Any) -> Decimal:
    if price is None:
        return Decimal(0)
    if isinstance(price, bool) or not isinstance(price, (int, Decimal)) or not 0 <= price < 1000:
        raise FormatError(f"The price table gives {model!r} the price {price!r}; expected US dollars per token.")
    return Decimal(price)


def dollars(usd: float) -> str:
    """An amount as it is, without a power of ten: 0.0020325."""
    text = f"{Decimal(repr(usd)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
