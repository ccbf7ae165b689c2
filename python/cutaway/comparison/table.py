"""The result of `ca.compare`: a table of answers, and what can be asked of the models that gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError
from ..views.table import Table
from .answers import Answer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..views.page import View
    from .bits import BitsTable
    from .sides import Side
    from .tokens import TokenTable

COLUMNS = (
    "model",
    "prompt",
    "sample",
    "seed",
    "text",
    "finish_reason",
    "tokens",
    "mean_logprob",
    "entropy",
    "top1_rate",
    "repeats",
    "echoes_prompt",
    "seconds",
    "error",
)
_SIDE_BY_SIDE = 12  # prompts that the views show in full


class Comparison(Table[Answer]):
    """Answers in the order model, prompt, sample. Side by side in a notebook and a terminal.

    `.to_pandas()`: one row per answer. `.tokens(a, b)`: two models of one vocabulary, token by token.
    `.bits_per_byte()`: any models on the same text. `.save("x.html")`: the view as a page. `.interrupted`: whether
    Ctrl-C ended the run, so that rows are missing. `.settings`: what was in force for all models.
    """

    title = "Comparison"
    columns = COLUMNS

    def __init__(
        self,
        rows: Sequence[Answer],
        sides: Sequence[Side],
        *,
        align: str = "content",
        settings: Mapping[str, Any],
        interrupted: bool = False,
    ) -> None:
        super().__init__(rows)
        self._sides, self.align, self.settings, self.interrupted = list(sides), align, dict(settings), interrupted

    @property
    def labels(self) -> list[str]:
        """The models, in the order given."""
        return [side.label for side in self._sides]

    @property
    def prompts(self) -> dict[int, str]:
        """The prompts of the rows that are here, by their index in the call."""
        return {row.prompt_index: row.prompt for row in sorted(self, key=lambda row: row.prompt_index)}

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            return super().__getitem__(index)
        return self._with(self._rows[index])

    def by_prompt(self) -> dict[int, list[Answer]]:
        """The rows of each prompt, by its index."""
        out: dict[int, list[Answer]] = {index: [] for index in self.prompts}
        for row in self:
            out[row.prompt_index].append(row)
        return out

    def of(self, prompts: int | Sequence[int]) -> Comparison:
        """The rows of some prompts, by index."""
        chosen = {prompts} if isinstance(prompts, int) else set(prompts)
        known = self.prompts
        if unknown := chosen - set(known):
            raise ArgumentError(f"There is no prompt {min(unknown)}; the prompts are 0 to {max(known, default=-1)}.")
        return self._with([row for row in self if row.prompt_index in chosen])

    def _with(self, rows: Sequence[Answer]) -> Comparison:
        return Comparison(rows, self._sides, align=self.align, settings=self.settings, interrupted=self.interrupted)

    def tokens(
        self,
        a: str | None = None,
        b: str | None = None,
        *,
        text: str | Sequence[str] | None = None,
        lens: bool = True,
        progress: bool = True,
    ) -> TokenTable:
        """Two models of one vocabulary on the same tokens, each reading them inside its own template.

        a, b: labels (default: the first two). Every prompt is compared with each answer behind it, of a and of b, or
        with `text` (one for all prompts, or a list of one each) in their place. Columns and definitions:
        `cutaway.comparison.tokens`. lens=False leaves the logit lens, most of the work, out.

        Raises ArgumentError where the vocabularies differ: bits_per_byte() compares such models.
        """
        from .tokens import compare_tokens

        first, second = self._pair(a, b)
        return compare_tokens(self, first, second, text, lens=lens, progress=progress)

    def bits_per_byte(self, *, text: str | Sequence[str] | None = None, progress: bool = True) -> BitsTable:
        """How well every model predicts the same bytes: any vocabularies. `text` as in `tokens`.

        Columns and definitions: `cutaway.comparison.bits`.
        """
        from .bits import compare_bits

        return compare_bits(self, text, progress=progress)

    def _pair(self, a: str | None, b: str | None) -> tuple[Side, Side]:
        import difflib

        if len(self.labels) < 2 and (a is None or b is None):
            raise ArgumentError("tokens compares two models, and this comparison has one.")
        chosen = [self.labels[0] if a is None else a, self.labels[1] if b is None else b]
        for label in chosen:
            if label not in self.labels:
                near = difflib.get_close_matches(str(label), self.labels, n=2, cutoff=0.4) or self.labels
                raise ArgumentError(f"There is no model {label!r}. Did you mean {' or '.join(map(repr, near))}?")
        if chosen[0] == chosen[1]:
            raise ArgumentError(f"tokens compares two models, got {chosen[0]!r} twice.")
        first, second = (self._sides[self.labels.index(label)] for label in chosen)
        return first, second

    # ---- as a table

    def records(self) -> list[dict[str, Any]]:
        return [{name: getattr(row, name) for name in COLUMNS} for row in self]

    def cells(self, row: Answer) -> tuple[str, ...]:
        from ..views.chips import shorten
        from ..views.page import visible

        def short(text: str | None) -> str:
            return shorten(visible(text or ""), 40)

        numbers = (row.mean_logprob, row.entropy, row.top1_rate, row.repeats, row.echoes_prompt, row.seconds)
        return (
            row.model,
            short(row.prompt),
            str(row.sample),
            str(row.seed),
            short(row.text),
            row.finish_reason,
            str(row.tokens),
            *(f"{number:.3f}" for number in numbers),
            short(row.error),
        )

    # ---- as a picture

    def view(self, prompts: int = _SIDE_BY_SIDE) -> View:
        """A column per model, a row per prompt: the first `prompts` of them."""
        from ..views.side_by_side import side_by_side

        return side_by_side(self, prompts)

    def __rich__(self) -> RenderableType:
        return self.view().__rich__()

    def __repr__(self) -> str:
        return super().__repr__() if len(self.prompts) > _SIDE_BY_SIDE else repr(self.view())
