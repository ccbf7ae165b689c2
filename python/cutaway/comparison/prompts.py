"""What each model reads: the user's prompt inside the model's template, and where in the text it lies."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError

PLACEHOLDER = "{prompt}"
# Stands for the prompt while a template is rendered to see where the prompt goes: private-use characters, which
# neither a template nor a text has, and which no template trims.
_MARK = "\U000f0cab\U000f0cac"


@dataclass(frozen=True)
class Rendered:
    """A prompt as a model reads it. `text[begin:end]` is the user's prompt, the rest is template."""

    text: str
    begin: int
    end: int

    def span(self) -> tuple[int, int]:
        """Begin and end of the user's prompt in UTF-8 bytes of the text."""
        before = len(self.text[: self.begin].encode("utf-8"))
        return before, before + len(self.text[self.begin : self.end].encode("utf-8"))


class Template:
    """What surrounds a prompt: nothing, a text with `{prompt}`, or a Jinja chat template given one user message.

    kind: "raw" | "text" | "chat". source: None, the text, or the Jinja source.

    Raw text gets BOS and EOS by the file's flags and is encoded as text alone. In the other two special tokens written
    in the text become their ids. A text template gets BOS by the file's flag too, unless it begins with it; a chat
    template says itself whether it has one.
    """

    def __init__(self, kind: str, source: str | None = None) -> None:
        self.kind, self.source = kind, source

    @classmethod
    def of(cls, given: str | None) -> Template:
        """A template as users write it. ArgumentError for a text without `{prompt}`."""
        if given is None:
            return cls("raw")
        if not isinstance(given, str):
            raise ArgumentError(f"a template is a text with {PLACEHOLDER}, or None for raw text, got {given!r}")
        if "{%" in given or "{{" in given:
            from ..chat import ChatTemplate

            return cls("chat", ChatTemplate(given).source)
        if given.count(PLACEHOLDER) != 1:
            raise ArgumentError(
                f"the template {given!r} holds {PLACEHOLDER} {given.count(PLACEHOLDER)} times, expected once: it is "
                f"where the prompt goes, as in '### Instruction:\\n{PLACEHOLDER}\\n\\n### Response:\\n'"
            )
        return cls("text", given)

    def render(self, prompt: str, tokenizer: Any) -> Rendered:
        """ArgumentError where a chat template refuses the prompt."""
        if self.kind == "raw":
            return Rendered(prompt, 0, len(prompt))
        if self.kind == "text":
            before, _, after = str(self.source).partition(PLACEHOLDER)
            return Rendered(before + prompt + after, len(before), len(before) + len(prompt))
        text = self._chat(prompt, tokenizer)
        before, found, after = self._chat(_MARK, tokenizer).partition(_MARK)
        begin, end = len(before), len(text) - len(after)
        if found and text.startswith(before) and text.endswith(after) and text[begin:end].strip() == prompt.strip():
            return Rendered(text, begin, end)  # most templates show the prompt as it is, or stripped
        if prompt.strip() and text.count(prompt.strip()) == 1:
            begin = text.index(prompt.strip())
            return Rendered(text, begin, begin + len(prompt.strip()))
        return Rendered(text, 0, 0)  # the template shows the prompt in a shape of its own, or not at all

    def _chat(self, prompt: str, tokenizer: Any) -> str:
        messages = [{"role": "user", "content": prompt}]
        return str(tokenizer.apply_chat_template(messages, template=self.source, prompt=prompt))

    def encode(self, text: str, tokenizer: Any) -> tuple[np.ndarray, np.ndarray]:
        """A rendered text, or one with an answer behind it: ids int32 [n], and int64 [n, 2], where each token begins
        and ends in the text's UTF-8 bytes."""
        flags = {"add_special_tokens": self.kind != "chat", "parse_special": self.kind != "raw"}
        if self.kind == "text" and tokenizer.bos_id is not None and text.startswith(tokenizer.piece(tokenizer.bos_id)):
            flags["add_special_tokens"] = False
        return tokenizer.encode(text, **flags), tokenizer.offsets(text.encode("utf-8"), **flags)


def content(spans: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Positions of the tokens that lie wholly inside bytes [begin, end): int64 [n]. spans: int64 [pos, 2].

    A token that straddles a border, with bytes of the template and of the content, is none of them; nor is a token
    without bytes, such as BOS.
    """
    inside = (spans[:, 0] >= begin) & (spans[:, 1] <= end) & (spans[:, 1] > spans[:, 0])
    return np.flatnonzero(inside)


def choose(templates: Mapping[str, str | None] | None, labels: Sequence[str]) -> dict[str, Template]:
    """The templates that the user gives, by label. ArgumentError, with near misses, for a label of no model."""
    if templates is None:
        return {}
    if not isinstance(templates, Mapping):
        raise ArgumentError(f"templates is a dict of label -> template, got {type(templates).__name__}.")
    chosen = {}
    for label, given in templates.items():
        if label not in labels:
            near = difflib.get_close_matches(str(label), labels, n=2, cutoff=0.4)
            hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"The labels are: {', '.join(labels)}."
            raise ArgumentError(f"templates names {label!r}, and no model is called so. {hint}")
        try:
            chosen[label] = Template.of(given)
        except ArgumentError as error:
            raise ArgumentError(f"templates[{label!r}]: {str(error).rstrip('.')}.") from None
    return chosen
