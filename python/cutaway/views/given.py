"""Models and tokenizers as views are given them; anything else is refused, also where arguments are swapped."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..arguments import described
from ..errors import ArgumentError

if TYPE_CHECKING:
    from ..model import Model


def model_of(given: Any, call: str) -> Model:
    """given: a Model. call: as it should be written."""
    from ..model import Model

    if not isinstance(given, Model):
        raise ArgumentError(f"The first argument is {described(given)}, expected a model: {call}.")
    return given


def tokenizer_of(given: Any, call: str) -> Any:
    """The tokenizer of what was given: a Model, or a Tokenizer itself. call: as it should be written."""
    tokenizer = getattr(given, "tokenizer", given)
    if not hasattr(tokenizer, "tokens"):
        raise ArgumentError(f"The first argument is {described(given)}, expected a model or a tokenizer: {call}.")
    return tokenizer


def named_tokenizer(given: Any, call: str) -> Any:
    """The same; a str or a path is what `ca.tokenizer` calls it."""
    if not isinstance(given, (str, os.PathLike)):
        return tokenizer_of(given, call)
    from ..encodings import tokenizer

    try:
        return tokenizer(given)
    except ArgumentError as err:
        raise ArgumentError(f"{err}. The call is {call}.") from None


def name_of(tokenizer: Any) -> str | None:
    """What a tokenizer, or a model's, is called; None where it does not say."""
    name = getattr(getattr(tokenizer, "tokenizer", tokenizer), "name", None)
    return name if isinstance(name, str) and name else None
