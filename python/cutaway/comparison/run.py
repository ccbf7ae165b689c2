"""`ca.compare`: the same prompts through several models."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ..arguments import checked_arguments, unknown_argument
from ..errors import ArgumentError
from ..progress import bar
from ..settings import DEFAULTS, Settings, parse_settings
from .answers import Answer, answers
from .log import Log, digest_of
from .prompts import texts_of
from .sides import Side, make_sides
from .table import Comparison

_DEFAULTS = {"max_new_tokens": 50, "temperature": 0.7}
_REFUSED = ("names", "ledger", "stream")
ALIGNMENTS = ("content", "answer")


@checked_arguments
def compare(
    models: Any,
    prompts: Any,
    n: int = 1,
    seed: int = 0,
    templates: Mapping[str, str | None] | None = None,
    align: str = "content",
    *,
    load: Mapping[str, Any] | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **settings: Any,
) -> Comparison:
    """What several models say to the same prompts, side by side.

    models: names, paths or loaded models, in a list or as a dict of label -> model. Those given by name are loaded one
    after the other, with the keywords of `ca.load` in `load`, and freed. prompts: a text or a list of texts. n: samples
    of each; sample j draws with seed + j. Other keywords are those of `generate`: max_new_tokens=50, temperature=0.7,
    top_k, top_p, min_p, stop, ...

    templates: label -> what surrounds a prompt: a text with `{prompt}`, Jinja source, or None for nothing. Without an
    entry a model gets its file's chat template, with the prompt as one user message, or the prompt alone where the file
    has none. align: what `tokens` and `bits_per_byte` look at, "content" (prompt and answer) or "answer"; template
    tokens are aligned away in both. resume: a file that keeps each finished row; the same call goes on from it.
    progress: a bar on stderr.

    Returns a Comparison, in the order model, prompt, sample. A row that fails, such as a prompt longer than a model's
    context, carries its error and the others go on. Ctrl-C returns the rows that have ended. Raises ArgumentError for
    arguments that cannot be carried out, before anything is loaded.
    """
    if align not in ALIGNMENTS:
        raise ArgumentError(f"align is {align!r}, expected {' or '.join(map(repr, ALIGNMENTS))}.")
    for name in _REFUSED:
        if settings.pop(name, None) is not None:
            raise ArgumentError(f"compare keeps no {name}. Call model.generate with {name}= for the row in question.")
    given = {**_DEFAULTS, **{k: v for k, v in settings.items() if v is not None}, "n": n, "seed": seed}
    own = list(inspect.signature(compare).parameters)[:-1]
    for name in settings:
        if name not in DEFAULTS:
            raise unknown_argument("compare", name, dict.fromkeys([*own, *DEFAULTS]))
    if isinstance(seed, bool) or seed is None or not hasattr(seed, "__index__"):
        raise ArgumentError(
            f"seed is {seed!r}, expected one whole number: sample j of each prompt draws with seed + j."
        )
    plan = parse_settings({**given, "ledger": False}, n_ctx=2**31, stop_ids=(), d_vocab=1)
    for j in (0, plan.n - 1):
        plan.sampler_for(int(seed), j)  # seed + j may be too large
    texts = list(texts_of(prompts))
    sides = make_sides(models, templates, load or {})
    log = None if resume is None else Log(resume, _fingerprint(sides, texts, plan, templates))
    rows: dict[tuple[str, int, int], Answer] = {}
    interrupted = False
    try:
        for answer in log.answers if log else ():
            rows[(answer.model, *answer.key)] = answer
        with progress_bar(len(sides) * len(texts) * plan.n, len(rows), progress, "row") as shown:
            for side in sides:
                shown.set_description(side.label)
                for answer in _answers(side, texts, given, rows):
                    if log:
                        log.add(answer)
                    rows[(answer.model, *answer.key)] = answer
                    shown.update(1)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        if log:
            log.close()
    place = {side.label: i for i, side in enumerate(sides)}
    ordered = sorted(rows.values(), key=lambda row: (place[row.model], *row.key))
    return Comparison(ordered, sides, align=align, settings=_shown(plan), interrupted=interrupted)


def _answers(side: Side, prompts: list[str], given: dict[str, Any], rows: Mapping[Any, Answer]) -> Iterator[Answer]:
    done = {key[1:]: row for key, row in rows.items() if key[0] == side.label}
    if len(done) == len(prompts) * given["n"]:
        return
    with side.model() as model:
        template = side.template(model.tokenizer)
        plan = parse_settings(
            {**given, "ledger": False}, n_ctx=model.n_ctx, stop_ids=model.stop_ids, d_vocab=model.d_vocab
        )
        yield from answers(side.label, model, template, prompts, plan, done)


def _shown(plan: Settings) -> dict[str, Any]:
    """The settings as a result and a log record them."""
    return {
        "max_new_tokens": plan.max_new_tokens,
        "stages": [repr(stage) for stage in plan.stages],
        "stop": list(plan.stop),
        "n": plan.n,
        "seed": plan.seed,
    }


def _fingerprint(
    sides: list[Side], prompts: list[str], plan: Settings, templates: Mapping[str, str | None] | None
) -> dict[str, Any]:
    """Everything that the rows depend on."""
    return {
        **_shown(plan),
        "models": {side.label: side.identity() for side in sides},
        "prompts": len(prompts),
        "prompts_digest": digest_of(prompts),
        "templates": dict(templates or {}),
    }


@contextlib.contextmanager
def progress_bar(total: int, done: int, progress: bool, unit: str) -> Iterator[Any]:
    """A bar on stderr, or one that shows nothing."""
    with bar(progress, total=total, initial=done, unit=unit) as shown:
        yield shown
