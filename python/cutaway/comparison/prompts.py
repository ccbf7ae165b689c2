"""What each model reads: the user's prompt inside the model's template, and where in the text it lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..chat import check_shows
from ..errors import ArgumentError
from ..nearest import did_you_mean, nearest
from ..spans import Span, content_spans

PLACEHOLDER = "{prompt}"


@dataclass(frozen=True)
class Rendered:
    """A prompt as a model reads it. `text[begin:end]` is the user's prompt, the rest is template.

    The prompt is empty where a chat template shows it in a shape of its own, or not at all.
    """

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
        text, spans = content_spans(lambda messages: self._chat(messages, tokenizer), [_message(prompt)])
        if not spans:
            check_shows(lambda messages: self._chat(messages, tokenizer), [_message(prompt)])
        longest = max(spans, key=lambda span: span.end - span.begin, default=Span(0, 0, 0))
        return Rendered(text, longest.begin, longest.end)

    def _chat(self, messages: list[dict[str, Any]], tokenizer: Any) -> str:
        prompt = messages[0]["content"]  # also by this name, for a template that asks for nothing else
        return str(tokenizer.apply_chat_template(messages, template=self.source, prompt=prompt))

    def encode(self, text: str, tokenizer: Any) -> tuple[np.ndarray, np.ndarray]:
        """A rendered text, or one with an answer behind it: ids int32 [n], and int64 [n, 2], where each token begins
        and ends in the text's UTF-8 bytes."""
        flags = {"add_special_tokens": self.kind != "chat", "parse_special": self.kind != "raw"}
        if self.kind == "text" and tokenizer.bos_id is not None and text.startswith(tokenizer.piece(tokenizer.bos_id)):
            flags["add_special_tokens"] = False
        return tokenizer.encode(text, **flags), tokenizer.offsets(text.encode("utf-8"), **flags)


def _message(prompt: str) -> dict[str, Any]:
    return {"role": "user", "content": prompt}


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
            near = map(repr, nearest(label, labels, cutoff=0.4))
            hint = did_you_mean(near, f"The labels are: {', '.join(labels)}.")
            raise ArgumentError(f"templates names {label!r}, and no model is called so.{hint}")
        try:
            chosen[label] = Template.of(given)
        except ArgumentError as error:
            raise ArgumentError(f"templates[{label!r}]: {str(error).rstrip('.')}.") from None
    return chosen


def texts_of(prompts: Any) -> Sequence[str]:
    """Prompts as users give them: one text, or several. ArgumentError for none, and for what is no text."""
    listed = [prompts] if isinstance(prompts, str) else prompts
    if hasattr(listed, "tolist"):  # a NumPy array, or a column of a DataFrame
        listed = listed.tolist()
    if not isinstance(listed, (list, tuple)):
        raise ArgumentError(f"prompts is a list of texts, got {type(prompts).__name__}.")
    if not listed:
        raise ArgumentError("prompts is empty. Give at least one text.")
    for i, prompt in enumerate(listed):
        if not isinstance(prompt, str):
            raise ArgumentError(f"prompts[{i}] is {prompt!r}, expected a text.")
    return listed
