"""Tokens of a conversation: `ca.count_tokens`, and `ca.fit_messages`, which makes one fit a budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .arguments import checked_arguments, described, item
from .errors import ArgumentError
from .numbers import whole
from .views.shown import Shown

if TYPE_CHECKING:
    from .model import Model
    from .tokenization import Tokenizer
    from .views.page import View

Message = Mapping[str, Any]
_FIRST = ("system", "developer")  # roles that are kept whatever else goes


@checked_arguments
@dataclass(frozen=True)
class ChatOverhead:
    """What a provider counts for a conversation beside the tokens of its texts, where the template is its secret.

    The default is what OpenAI publishes in its cookbook for gpt-3.5-turbo-0613, gpt-4, gpt-4o and later.
    """

    per_message: int = 3
    """Tokens around each message."""
    per_name: int = 1
    """Tokens more for a message that has a "name"."""
    reply: int = 3
    """Tokens, once, that open the answer."""


@checked_arguments
def count_tokens(
    text_or_messages: str | bytes | Sequence[Message],
    model: str | Tokenizer | Model,
    overhead: ChatOverhead | None = None,
) -> int:
    """How many tokens a model reads for a text or for a conversation.

    text_or_messages: a text counts as `tok.count(text)`: as it is, control tokens as text. Messages are {"role": ...,
    "content": ..., "name": ...}; a content is a text, None, or a list of {"type": "text", "text": ...}.
    model: a hosted model's name, such as "gpt-4o", for its tokenizer; or a Tokenizer, or a Model. Where that has a chat
    template, the messages count as the template renders them, with the opening of the answer: exact.
    overhead: counts by these figures in place of a template; None is the template if there is one, and else
    `ChatOverhead()`: 3 tokens a message, 1 a name, 3 for the answer, and the tokens of each role, name and content.

    ArgumentError for an unknown model, and for content that is not text: images and calls of tools have other rules.
    """
    tokenizer = _tokenizer(model, "count_tokens(text, model)")
    if isinstance(text_or_messages, (str, bytes)):
        if overhead is not None:
            raise ArgumentError("overhead is for messages; a text has none. Leave it out, or pass a list of messages.")
        return int(tokenizer.count(text_or_messages))
    messages = _messages(text_or_messages)
    return _Conversation(tokenizer, messages, overhead).count(range(len(messages)))


@dataclass(frozen=True)
class MessageRow:
    """One message of a conversation that was made to fit."""

    index: int
    role: str
    tokens: int
    """What it would count for by itself: its role, name and content, without what stands around it."""
    kept: bool
    content: Any


@checked_arguments
class FittedMessages(Shown, Sequence[Message]):
    """The messages that fit, in their order, as a sequence: `model.chat(fitted.messages)`.

    `.messages`: a list of them, unchanged. `.dropped`: those that went, oldest first. `.tokens`: what the kept ones
    count for, overhead included. `.budget`. `.rows`: every message, with whether it was kept.
    """

    def __init__(self, rows: Sequence[MessageRow], messages: Sequence[Message], tokens: int, budget: int) -> None:
        self.rows = tuple(rows)
        self.messages = [message for row, message in zip(rows, messages, strict=True) if row.kept]
        self.dropped = [message for row, message in zip(rows, messages, strict=True) if not row.kept]
        self.tokens, self.budget = tokens, budget

    def __len__(self) -> int:
        return len(self.messages)

    def __getitem__(self, index: Any) -> Any:
        return self.messages[index] if isinstance(index, slice) else item(self.messages, index, "message")

    @property
    def said(self) -> str:
        """One sentence: what fits, and what was dropped."""
        from .views.page import counted

        fits = f"{counted(len(self), 'message')} of {len(self.rows):,} kept: {self.tokens:,} of {self.budget:,} tokens"
        gone = [row.index for row in self.rows if not row.kept]
        return f"{fits}; dropped: {_ranges(gone)}" if gone else f"{fits}; nothing dropped"

    def _cells(self) -> Iterator[tuple[str, ...]]:
        from .views.chips import marked, shorten

        for row in self.rows:
            text = row.content if isinstance(row.content, str) else "" if row.content is None else repr(row.content)
            yield str(row.index), row.role, f"{row.tokens:,}", "" if row.kept else "dropped", shorten(marked(text), 60)

    def __repr__(self) -> str:
        from .views.table import text_table

        return f"{self.said}\n{text_table(('message', 'role', 'tokens', '', 'content'), [*self._cells()])}"

    def records(self) -> list[dict[str, Any]]:
        """One per message, dropped ones included."""
        return [
            {"index": row.index, "role": row.role, "tokens": row.tokens, "kept": row.kept, "content": row.content}
            for row in self.rows
        ]

    def view(self) -> View:
        """The conversation as a table."""
        from .views.page import View, escape
        from .views.table import html_table, plain_text

        table = html_table(("message", "role", "tokens", "", "content"), [*self._cells()])
        body = f"<h4>Messages that fit</h4><p>{escape(self.said)}</p>{table}"
        return View("Messages that fit", body, lambda: plain_text(repr(self)), records=self.records)


@checked_arguments
def fit_messages(
    messages: Sequence[Message],
    tokenizer: Tokenizer | Model | str,
    budget: int = 8000,
    overhead: ChatOverhead | None = None,
) -> FittedMessages:
    """The newest part of a conversation that fits `budget` tokens, counted as `count_tokens` does.

    Kept are all messages of the system (and developer), and the newest turns, each whole: a turn is a message of the
    user with all that follows it, answers, calls of tools and their results. What precedes the first message of the
    user is a turn of its own. The oldest turns are dropped first, and none is kept behind one that does not fit.

    ArgumentError where the system's messages and the last turn alone are over the budget.
    """
    limit = whole("budget", budget, 1)
    listed = _messages(messages)
    tok = _tokenizer(tokenizer, "fit_messages(messages, tokenizer)")
    conversation = _Conversation(tok, listed, overhead)
    first = [i for i, message in enumerate(listed) if message["role"] in _FIRST]
    turns = _turns(listed)
    kept, tokens = set[int](), 0
    for n in range(min(1, len(turns)), len(turns) + 1):
        chosen = sorted(first + [i for turn in turns[len(turns) - n :] for i in turn])
        total = conversation.count(chosen)
        if total > limit:
            if n <= 1:
                last = " and the last turn alone" if turns else " alone"
                raise ArgumentError(
                    f"The messages of the system{last} count {total:,} tokens, over the budget of {limit:,}. Raise the "
                    "budget, or shorten them: a turn is kept whole or dropped."
                )
            break
        kept, tokens = set(chosen), total
    rows = [
        MessageRow(i, message["role"], conversation.texts[i], i in kept, message["content"])
        for i, message in enumerate(listed)
    ]
    return FittedMessages(rows, listed, tokens, limit)


def _turns(messages: Sequence[Message]) -> list[list[int]]:
    """The messages that are not the system's, by turns, oldest first."""
    turns: list[list[int]] = []
    for i, message in enumerate(messages):
        if message["role"] in _FIRST:
            continue
        if message["role"] == "user" or not turns:
            turns.append([])
        turns[-1].append(i)
    return turns


class _Conversation:
    """Messages and what they count for: as the tokenizer's own template renders them, or by figures."""

    def __init__(self, tokenizer: Any, messages: Sequence[Message], overhead: ChatOverhead | None) -> None:
        if overhead is not None and not isinstance(overhead, ChatOverhead):
            raise ArgumentError(
                f"overhead is a ca.ChatOverhead(per_message, per_name, reply), got {described(overhead)}."
            )
        self._tokenizer, self._messages = tokenizer, messages
        self._figures = None if overhead is None and tokenizer.chat_template is not None else overhead or ChatOverhead()
        strict = self._figures is not None  # a template knows what to do with the rest
        self.texts = [sum(_texts(tokenizer, i, message, strict)) for i, message in enumerate(messages)]

    def count(self, indices: Sequence[int]) -> int:
        """Tokens of a conversation of these messages."""
        chosen = [self._messages[i] for i in indices]
        if self._figures is None:
            return len(self._tokenizer.apply_chat_template([dict(message) for message in chosen], tokenize=True))
        names = sum("name" in message for message in chosen)
        around = self._figures.per_message * len(chosen) + self._figures.per_name * names + self._figures.reply
        return around + sum(self.texts[i] for i in indices)


def _texts(tokenizer: Any, index: int, message: Message, strict: bool) -> Iterator[int]:
    """The tokens of every text in a message: role, name, content. strict: anything else is an error."""
    for key, value in message.items():
        if isinstance(value, str):
            yield int(tokenizer.count(value))
        elif key == "content" and isinstance(value, (list, tuple)):
            for part in value:
                kind, text = (part.get("type"), part.get("text")) if isinstance(part, Mapping) else (part, None)
                if kind == "text" and isinstance(text, str):
                    yield int(tokenizer.count(text))
                elif strict:
                    raise ArgumentError(
                        f"Message {index} has a part of its content that is not text: {described(kind)}. Only texts "
                        "are counted; a provider counts images and sounds by other rules."
                    )
        elif value is not None and strict:
            raise ArgumentError(
                f"Message {index} has {described(value)} under {key!r}, and only texts are counted: role, name and "
                "content. What a provider counts for calls of tools is not published."
            )


def _messages(messages: Any) -> list[Message]:
    if isinstance(messages, Mapping) or not isinstance(messages, Sequence):
        raise ArgumentError(
            f'messages is a text or a list of {{"role": ..., "content": ...}}, got {described(messages)}.'
        )
    for i, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str) or "content" not in message:
            got = sorted(map(str, message)) if isinstance(message, Mapping) else described(message)
            raise ArgumentError(f'Message {i} must be {{"role": ..., "content": ...}}, got {got}.')
    if not messages:
        raise ArgumentError("The conversation has no messages; expected one at least.")
    return list(messages)


def _tokenizer(given: Any, call: str) -> Any:
    """The tokenizer of a hosted model's name, of a Model, or itself."""
    if isinstance(given, str):
        from .encodings import tokenizer_for

        return tokenizer_for(given)
    from .views.given import tokenizer_of

    return tokenizer_of(given, call)


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as people say them: "message 1", "messages 1 to 4, 7"."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    said = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
    return f"message{'' if len(numbers) == 1 else 's'} {said}"
