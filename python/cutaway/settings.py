"""The keywords of `generate`: their defaults, their checks, and the sampler chain that they spell."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from . import _core
from .errors import ArgumentError
from .sampler import STAGES, Sampler, Stage, check_seed

# The sampler keywords at their off values; they run in the order of the engine's list of stages.
SAMPLER_DEFAULTS: dict[str, float] = {
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
DEFAULTS: dict[str, Any] = {
    "max_new_tokens": 128,
    **SAMPLER_DEFAULTS,
    "sampler": None,
    "seed": None,
    "stop": None,
    "names": None,
    "ledger": None,
    "n": 1,
}
KEPT_LOGITS = 256 << 20  # bytes of logits that a call keeps for the ledger unless told otherwise

F = TypeVar("F", bound=Callable[..., Any])


def shows_settings(function: F) -> F:
    """Gives a function that passes **settings on a signature that lists them with their defaults.

    Of `@checked_arguments` above it, one that refuses every other keyword.
    """
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    listed = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=DEFAULTS[name]) for name in DEFAULTS]
    function.__signature__ = signature.replace(parameters=own + listed)  # type: ignore[attr-defined]
    return function


@dataclass(frozen=True)
class Settings:
    """Checked settings of one call of `generate`."""

    max_new_tokens: int
    stages: tuple[Stage, ...]
    seed: int | tuple[int, ...]
    stop: tuple[str, ...]
    stop_ids: frozenset[int]
    n_ctx: int
    names: tuple[str, ...] | None
    ledger: bool
    n: int

    def sampler_for(self, seed: int, sample: int) -> Sampler:
        """Sample j of n draws with seed + j."""
        return Sampler(self.stages, seed + sample)

    def seeds_for(self, prompts: int, is_batch: bool) -> list[int]:
        """One seed per prompt: the same for all, or each its own from a list."""
        if isinstance(self.seed, int):
            return [self.seed] * prompts
        if not is_batch:
            raise ArgumentError("seed is a list, and there is one prompt. Pass one seed, or a list of prompts.")
        if len(self.seed) != prompts:
            raise ArgumentError(f"seed has {len(self.seed)} entries, expected one per prompt, {prompts}.")
        return list(self.seed)

    def shown(self) -> dict[str, Any]:
        """What a result records."""
        return {
            "max_new_tokens": self.max_new_tokens,
            "stop": self.stop,
            "stop_ids": tuple(sorted(self.stop_ids)),
            "n_ctx": self.n_ctx,
            "ledger": self.ledger,
        }


def parse_settings(
    given: dict[str, Any], *, n_ctx: int, stop_ids: Sequence[int], d_vocab: int, prompts: int = 1
) -> Settings:
    """Checks the keywords. None stands for a keyword's default.

    The ledger is kept by default where the logits of all rows fit into KEPT_LOGITS.
    """
    values = {**DEFAULTS, **{name: value for name, value in given.items() if value is not None}}
    stages, seed = _chain(values)
    max_new_tokens, n = _count("max_new_tokens", values["max_new_tokens"], 0), _count("n", values["n"], 1)
    fits = prompts * n * min(max_new_tokens, n_ctx) * d_vocab * 4 <= KEPT_LOGITS
    return Settings(
        max_new_tokens=max_new_tokens,
        stages=stages,
        seed=seed,
        stop=_stops(values["stop"]),
        stop_ids=frozenset(int(id) for id in stop_ids),
        n_ctx=n_ctx,
        names=_names(values["names"]),
        ledger=fits if values["ledger"] is None else bool(values["ledger"]),
        n=n,
    )


def parse_prompts(prompt: Any, n_ctx: int, n_ctx_of_file: int) -> tuple[list[np.ndarray], bool]:
    """Token ids, int32 [n_prompt] each, and whether they came as a list of prompts."""
    is_batch = isinstance(prompt, (list, tuple)) and any(np.ndim(item) > 0 or isinstance(item, str) for item in prompt)
    prompts = list(prompt) if is_batch else [prompt]
    return [
        _prompt_ids(ids, n_ctx, n_ctx_of_file, f"prompt {i}" if is_batch else "the prompt")
        for i, ids in enumerate(prompts)
    ], is_batch


def _prompt_ids(ids: Any, n_ctx: int, n_ctx_of_file: int, what: str) -> np.ndarray:
    if isinstance(ids, str):
        raise ArgumentError(f"{what} is text, expected token ids. Encode it with the model's tokenizer first.")
    try:
        array = np.asarray(ids)
    except (ValueError, OverflowError) as error:
        raise ArgumentError(f"{what} is no list of token ids: {error}.") from None
    if array.size == 0:
        raise ArgumentError(f"{what} is empty. A model needs at least one token to continue from.")
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise ArgumentError(
            f"{what} has dtype {array.dtype} and shape {list(array.shape)}, expected whole numbers in one dimension. "
            "Several prompts are a list."
        )
    if array.min() < 0 or array.max() >= 2**31:
        bad = int(array[(array < 0) | (array >= 2**31)][0])
        raise ArgumentError(f"{what} holds token id {bad}, and no vocabulary does.")
    _core.check_length(what, 0, len(array), n_ctx, n_ctx_of_file)
    return array.astype(np.int32)


def _chain(values: dict[str, Any]) -> tuple[tuple[Stage, ...], int | tuple[int, ...]]:
    sampler = values["sampler"]
    on = [name for name in _core.stage_names() if values[name] != SAMPLER_DEFAULTS[name]]
    if sampler is None:
        used = [name for name in _core.stage_names() if name in on or name == "temperature"]
        return tuple(STAGES[name](values[name]) for name in used), _seed(values["seed"])
    if on:
        raise ArgumentError(f"sampler takes the place of {', '.join(on)}. Pass one or the other.")
    if not isinstance(sampler, Sampler):
        return Sampler(sampler, seed=0).stages, _seed(values["seed"])
    return sampler.stages, sampler.seed if values["seed"] is None else _seed(values["seed"])


def _seed(seed: Any) -> int | tuple[int, ...]:
    if isinstance(seed, (list, tuple, np.ndarray)) and np.ndim(seed) == 1:
        return tuple(check_seed(one) for one in seed)
    return check_seed(seed)


def _count(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < least or isinstance(value, bool):
        raise ArgumentError(f"{name} must be a whole number, {least} or greater, got {value!r}.")
    return number


def _stops(stop: Any) -> tuple[str, ...]:
    stops = () if stop is None else (stop,) if isinstance(stop, str) else stop
    if not isinstance(stops, (list, tuple)) or not all(isinstance(one, str) and one for one in stops):
        raise ArgumentError(f"stop must be a string or a list of strings, none of them empty, got {stop!r}.")
    return tuple(stops)


def _names(names: Any) -> tuple[str, ...] | None:
    if names is None:
        return None
    listed = (names,) if isinstance(names, str) else names
    if not isinstance(listed, (list, tuple)) or not listed or not all(isinstance(name, str) for name in listed):
        raise ArgumentError(f"names must be activation names, such as ['blocks.*.attn.pattern'], got {names!r}.")
    return tuple(listed)
