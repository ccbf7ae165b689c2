"""Two models of one vocabulary, token by token: where they disagree, by how much, and from which layer on.

Both models read the same content, the user's prompt and a text that follows it, each inside its own template. Template
tokens are aligned away by position: a token belongs to the content if all its bytes do, and is compared if the other
model has the same token at the same bytes. A token that straddles the border of the content on either side, or falls
differently in the two, is left out on both. The text that follows is compared as ids: those of the sampled answer (its
stop token left out), or those that a given text has by itself.

Row i compares the two distributions that predict token i, which lie at the position before it. The first position of a
text without template or BOS has no prediction and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import checked_arguments, item
from ..errors import ArgumentError, Error
from ..probabilities import log_softmax
from ..views.table import Table
from .metrics import kl_and_entropies, mean
from .prompts import content

if TYPE_CHECKING:
    from ..views.page import View
    from .sides import Side
    from .table import Comparison

_GROUP = 16  # positions whose logits are held at a time


@dataclass(frozen=True)
class TokenRow:
    """One content token, and what two models expected in its place."""

    prompt: int
    """Index of the prompt."""
    answer_of: str
    """Whose answer it is part of; "text" for a given one; empty for the prompt."""
    sample: int
    part: str
    """"prompt" | "answer"."""
    position: int
    """Of the token in its part."""
    token: str
    kl: float
    """KL(P_a || P_b) over the full vocabulary, nats, float64."""
    top1_a: str
    top1_b: str
    flip: bool
    """Whether the most probable tokens differ."""
    entropy_a: float
    entropy_b: float
    shift: float
    """entropy_b - entropy_a, nats."""
    first_layer: int | None
    """The first layer after which the logit lens names different tokens; None: never, not asked, or layers differ."""
    logprob_a: float
    """Natural log-probability of the token itself."""
    logprob_b: float


@checked_arguments
class TokenTable(Table[TokenRow]):
    """One row per content token. `a`, `b`: the models; `skipped`: what could not be compared, and why."""

    columns = tuple(TokenRow.__dataclass_fields__)

    def __init__(self, rows: Sequence[TokenRow], a: str = "a", b: str = "b", skipped: Sequence[str] = ()) -> None:
        super().__init__(rows)
        self.a, self.b, self.skipped = a, b, tuple(skipped)
        self.title = f"a = {a}, b = {b}"
        flips = [row.flip for row in rows]
        kls, shifts = [row.kl for row in rows], [row.shift for row in rows]
        self.note = (
            f"{len(rows):,} content tokens: mean KL(a || b) {mean(kls):.3f} nats, {100 * mean(flips):.0f} % flips, "
            f"mean entropy shift {mean(shifts):+.3f} nats"
        )

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            return item(self._rows, index, self.one)
        return TokenTable(self._rows[index], self.a, self.b, self.skipped)

    def records(self) -> list[dict[str, Any]]:
        return [asdict(row) for row in self]

    def cells(self, row: TokenRow) -> tuple[str, ...]:
        from ..views.page import visible

        return tuple(
            repr(visible(value)) if name in ("token", "top1_a", "top1_b") else _cell(value)
            for name, value in asdict(row).items()
        )

    def view(self) -> View:
        """The texts, their tokens coloured by KL, and the table below."""
        from ..views.divergence import divergence

        return divergence(self)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Aligned:
    """Positions of the same content token in two sequences of ids, and its id. `number`: its place in its part."""

    part: str
    number: int
    at_a: int
    at_b: int
    id: int


def compare_tokens(
    comparison: Comparison, a: Side, b: Side, text: str | Sequence[str] | None, *, lens: bool, progress: bool
) -> TokenTable:
    """What `Comparison.tokens` does."""
    from .run import progress_bar

    rows, skipped, prompts = list[TokenRow](), list[str](), comparison.prompts
    with a.model() as model_a, b.model() as model_b:
        check_vocabularies(a, model_a.tokenizer, b, model_b.tokenizer)
        if model_a.d_vocab != model_b.d_vocab:  # the same tokens, and rows padded to different lengths
            raise ArgumentError(
                f"KL compares distributions over one vocabulary: {a.label!r} gives {model_a.d_vocab:,} logits, "
                f"{b.label!r} {model_b.d_vocab:,}. bits_per_byte() compares such models on the same text."
            )
        followed = list(continuations(comparison, [a.label, b.label], text, model_a.tokenizer))
        with progress_bar(len(followed), 0, progress, "text") as bar:
            for prompt, answer_of, sample, ids in followed:
                try:
                    ids_a, ids_b, pairs = align(prompts[prompt], ids, (a, model_a), (b, model_b))
                    scored = list(_scored(model_a, model_b, ids_a, ids_b, pairs, lens))
                    rows += [TokenRow(prompt, answer_of, sample, **values) for values in scored]
                except Error as error:
                    skipped.append(f"prompt {prompt}, {answer_of or 'the prompt itself'}: {error}")
                bar.update(1)
    return TokenTable(rows, a.label, b.label, skipped)


def check_vocabularies(a: Side, tokenizer_a: Any, b: Side, tokenizer_b: Any) -> None:
    """ArgumentError unless every id stands for the same bytes in both."""
    if a.vocabulary(tokenizer_a) == b.vocabulary(tokenizer_b):
        return
    said = [f"{side.label!r} has {len(tokenizer):,} tokens" for side, tokenizer in ((a, tokenizer_a), (b, tokenizer_b))]
    raise ArgumentError(
        f"KL compares distributions over one vocabulary, and these differ: {' and '.join(said)}"
        f"{', with other bytes' if len(tokenizer_a) == len(tokenizer_b) else ''}. "
        "bits_per_byte() compares such models on the same text."
    )


def continuations(
    comparison: Comparison, labels: Sequence[str], text: str | Sequence[str] | None, tokenizer: Any
) -> Iterator[tuple[int, str, int, list[int]]]:
    """(prompt, whose answer, sample, ids) of everything that is compared: each prompt, then what follows it."""
    given, stops = None if text is None else given_texts(comparison, text), set(tokenizer.stop_ids)
    for index, rows in comparison.by_prompt().items():
        if comparison.align == "content":
            yield index, "", 0, []
        if given is not None:
            yield index, "text", 0, tokenizer.encode(given[index]).tolist()
            continue
        for row in rows:
            said = [id for id in row.ids if id not in stops]
            if row.model in labels and said:
                yield index, row.model, row.sample, said


def given_texts(comparison: Comparison, text: str | Sequence[str]) -> dict[int, str]:
    """A given text for each prompt, by the prompt's index."""
    prompts = list(comparison.prompts)
    texts = [text] * len(prompts) if isinstance(text, str) else list(text)
    if len(texts) != len(prompts) or not all(isinstance(one, str) for one in texts):
        raise ArgumentError(f"text is one text, or a list of one for each of the {len(prompts)} prompts.")
    return dict(zip(prompts, texts, strict=True))


def align(
    prompt: str, answer: Sequence[int], a: tuple[Side, Any], b: tuple[Side, Any]
) -> tuple[np.ndarray, np.ndarray, list[Aligned]]:
    """The ids that each model reads, and the tokens to compare: those of the answer, of the prompt if it is empty."""
    read, where = [], []
    for side, model in (a, b):
        template = side.template(model.tokenizer)
        rendered = template.render(prompt, model.tokenizer)
        ids, spans = template.encode(rendered.text, model.tokenizer)
        begin, end = rendered.span()
        read.append(np.concatenate([ids, np.asarray(answer, np.int32)]).astype(np.int32))
        # (bytes from the prompt's beginning, id) -> position: equal keys are the same token of the same text
        where.append(
            {
                (int(spans[at, 0]) - begin, int(spans[at, 1]) - begin, int(ids[at])): int(at)
                for at in content(spans, begin, end)
            }
        )
        if len(read[-1]) > model.n_ctx:
            raise ArgumentError(f"{side.label} reads {len(read[-1])} tokens, and its context holds {model.n_ctx}.")
    shared = [key for key in where[0] if key in where[1]]
    pairs = [Aligned("prompt", i, where[0][k], where[1][k], k[2]) for i, k in enumerate(shared)]
    if len(answer):
        first_a, first_b = (len(ids) - len(answer) for ids in read)
        pairs = [Aligned("answer", i, first_a + i, first_b + i, int(id)) for i, id in enumerate(answer)]
    return read[0], read[1], [pair for pair in pairs if pair.at_a > 0 and pair.at_b > 0]


def _scored(
    model_a: Any, model_b: Any, ids_a: np.ndarray, ids_b: np.ndarray, pairs: Sequence[Aligned], lens: bool
) -> Iterator[dict[str, Any]]:
    """The values of each pair, as TokenRow names them. A pair is predicted one position before it."""
    same_depth = lens and model_a.config.n_layers == model_b.config.n_layers
    layers = [f"blocks.{i}.resid_post" for i in range(model_a.config.n_layers)] if same_depth else []
    sessions = model_a.session(), model_b.session()
    text = model_a.tokenizer.tokens
    for group in _groups(pairs):
        at_a, at_b = np.asarray([p.at_a - 1 for p in group]), np.asarray([p.at_b - 1 for p in group])
        logits_a, resid_a = _forward(sessions[0], ids_a, at_a, layers)
        logits_b, resid_b = _forward(sessions[1], ids_b, at_b, layers)
        logp_a, logp_b = log_softmax(logits_a), log_softmax(logits_b)
        kl, entropy_a, entropy_b = kl_and_entropies(logp_a, logp_b)
        top_a, top_b = logits_a.argmax(axis=1), logits_b.argmax(axis=1)
        first = _first_layers(model_a, model_b, resid_a, resid_b, len(group))
        for i, pair in enumerate(group):
            yield {
                "part": pair.part,
                "position": pair.number,
                "token": text([pair.id])[0],
                "kl": float(kl[i]),
                "top1_a": text([int(top_a[i])])[0],
                "top1_b": text([int(top_b[i])])[0],
                "flip": bool(top_a[i] != top_b[i]),
                "entropy_a": float(entropy_a[i]),
                "entropy_b": float(entropy_b[i]),
                "shift": float(entropy_b[i] - entropy_a[i]),
                "first_layer": first[i],
                "logprob_a": float(logp_a[i, pair.id]),
                "logprob_b": float(logp_b[i, pair.id]),
            }


def _groups(pairs: Sequence[Aligned]) -> Iterator[list[Aligned]]:
    """Pairs in runs that span at most _GROUP positions in both texts."""
    group: list[Aligned] = []
    for pair in pairs:
        if group and max(pair.at_a - group[0].at_a, pair.at_b - group[0].at_b) >= _GROUP:
            yield group
            group = []
        group.append(pair)
    if group:
        yield group


def _forward(session: Any, ids: np.ndarray, at: np.ndarray, layers: list[str]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Goes on to at[-1]: logits [n, d_vocab] and each layer's residual stream [n, d_model] at the positions `at`."""
    if len(session) < at[0]:
        session.append(ids[len(session) : at[0]], logits=None)
    begun = len(session)
    out = session.append(ids[begun : at[-1] + 1], logits="all", names=layers or None)
    logits, trace = out if layers else (out, {})
    return logits[at - begun], [trace[name][at - begun] for name in layers]


def _first_layers(
    model_a: Any, model_b: Any, resid_a: list[np.ndarray], resid_b: list[np.ndarray], n: int
) -> list[int | None]:
    """Per position the first layer whose lens names different tokens. Only positions still in agreement are asked."""
    first: list[int | None] = [None] * n
    for layer, (a, b) in enumerate(zip(resid_a, resid_b, strict=True)):
        open_ = np.asarray([i for i in range(n) if first[i] is None], np.int64)
        if not len(open_):
            break
        tops = [model.unembed(x[open_]).argmax(axis=1) for model, x in ((model_a, a), (model_b, b))]
        for i in open_[tops[0] != tops[1]]:
            first[int(i)] = layer
    return first
