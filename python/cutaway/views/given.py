"""Models and tokenizers as views are given them; anything else is refused, also where arguments are swapped."""

from __future__ import annotations

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
