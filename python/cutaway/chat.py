"""Chat templates: a conversation as the text that a model was trained to continue.

The dialect is the one of the files: jinja2 with trim_blocks, lstrip_blocks, `break` and `continue`, `tojson` without
HTML escapes, `raise_exception`, `strftime_now` and the `generation` tag, in an immutable sandbox under a work limit.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .arguments import checked_arguments, described
from .errors import ArgumentError, Error
from .nearest import did_you_mean, nearest

LARGEST_TEMPLATE = 262_144  # characters; the largest in use today has about 25,000

NO_TEMPLATE = (
    "This model has no chat template. Pass one: model.chat(messages, template="
    "\"{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\\n{% endfor %}assistant:\"), "
    "or give the text to model.generate, which needs none."
)

# Roles that every template is given; what it makes of them, or refuses, is its own business. Any other must stand in
# the template's source as a text in quotes: 'usr' would else become a turn that the model was never trained on.
ROLES = ("system", "developer", "user", "assistant", "model", "tool", "function")
_OFFERED = ("bos_token", "eos_token", "prompt")  # variables that a template is given whether it reads them or not


@checked_arguments
class ChatTemplate:
    """A chat template, compiled.

    source: the jinja2 text, as `tokenizer.chat_template` of a GGUF file or `chat_template` of a tokenizer_config.json.
    Raises ca.ArgumentError, with the line, for a template that does not compile.
    """

    def __init__(self, source: str) -> None:
        if source is None:
            raise ArgumentError(NO_TEMPLATE)
        if not isinstance(source, str):
            raise ArgumentError(f"A chat template is a str of jinja2 source, got {described(source)}.")
        if len(source) > LARGEST_TEMPLATE:
            raise ArgumentError(f"The chat template has {len(source):,} characters; at most {LARGEST_TEMPLATE:,}.")
        self.source = source
        try:
            self._sandbox, self._template = _compiled(source)
        except Exception as err:
            raise _explained(err, getattr(err, "lineno", None)) from None

    def __repr__(self) -> str:
        return f"ChatTemplate({len(self.source)} characters, {self.source.count(chr(10)) + 1} lines)"

    def render(self, messages: Sequence[Mapping[str, Any]], add_generation_prompt: bool = True, **context: Any) -> str:
        """The conversation as text.

        messages: [{"role": "user", "content": "..."}, ...]; other keys (tool_calls, name, ...) pass through.
        add_generation_prompt: end with the words that open the assistant's answer.
        context: more variables for the template: tools, documents, bos_token, eos_token, enable_thinking, ...
        Raises ca.ArgumentError where the template refuses the conversation, fails, or does too much work; for a role
        that is none of `cutaway.chat.ROLES` and not named by the template; for a variable that it does not read.
        """
        from .sandbox import Work

        check_messages(messages)
        self._check_roles(messages)
        self._check_context(context)
        variables = {**context, "messages": messages, "add_generation_prompt": add_generation_prompt}
        work = Work(_size((messages, context)), len(messages))
        try:
            return self._sandbox.render_metered(self._template, variables, work)
        except Exception as err:
            raise _not_text(err, messages) or _explained(err, self._line(err)) from None

    def _check_roles(self, messages: Sequence[Mapping[str, Any]]) -> None:
        for i, message in enumerate(messages):
            role = message["role"]
            if role in ROLES or f"'{role}'" in self.source or f'"{role}"' in self.source:
                continue
            hint = did_you_mean(
                map(repr, nearest(role, ROLES, n=1, cutoff=0.6)),
                f"Roles are {', '.join(ROLES)}, and those that the template names in quotes.",
            )
            raise ArgumentError(f"messages[{i}]['role'] is {role!r}.{hint}")

    def _check_context(self, context: Mapping[str, Any]) -> None:
        words = set(re.findall(r"[^\W\d]\w*", self.source))
        for name, value in context.items():
            if name not in words and name not in _OFFERED and value is not None:
                near = nearest(name, ["add_generation_prompt", "template", "tokenize", *sorted(words)], n=1, cutoff=0.7)
                raise ArgumentError(f"The chat template does not read '{name}'.{did_you_mean(near, 'Leave it out.')}")

    def _line(self, err: Exception) -> int | None:
        line, at = None, err.__traceback__
        while at is not None:
            if at.tb_frame.f_globals.get("__jinja_template__") is self._template:
                line = self._template.get_corresponding_lineno(at.tb_lineno)
            at = at.tb_next
        return line


@functools.lru_cache(maxsize=8)
def _compiled(source: str) -> tuple[Any, Any]:
    """The sandbox and the template. Compiling takes 5 to 50 ms, and a conversation renders the same one every turn."""
    from .sandbox import Sandbox

    sandbox = Sandbox()
    return sandbox, sandbox.compile_metered(source)


def check_messages(messages: object) -> None:
    """Raises ca.ArgumentError unless messages is a non-empty list of dicts, each with a role and something to say."""
    example = 'a list like [{"role": "user", "content": "Hello"}]'
    if not isinstance(messages, (list, tuple)):
        raise ArgumentError(f"messages must be {example}, got {described(messages)}.")
    if not messages:
        raise ArgumentError(f"messages is empty; expected {example}.")
    for i, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise ArgumentError(f"messages[{i}] is {described(message)}; messages must be {example}.")
        role = message.get("role")
        if not isinstance(role, str):
            raise ArgumentError(f"messages[{i}]['role'] must be a str such as 'user' or 'assistant', got {role!r}.")
        if "content" not in message and "tool_calls" not in message:
            raise ArgumentError(f"messages[{i}] has no 'content'; expected {example}.")
        if not isinstance(message.get("content"), (str, list, tuple, dict, type(None))):
            kind = type(message["content"]).__name__
            raise ArgumentError(f"messages[{i}]['content'] must be a str, or a list of parts, got {kind}.")


def check_shows(render: Callable[[list[dict[str, Any]]], str], messages: Sequence[Mapping[str, Any]]) -> None:
    """Raises ca.ArgumentError where a template takes no notice of the last message: another in its place changes
    nothing in the text. It may print the message in any shape, or refuse the other one."""
    check_messages(messages)
    said = messages[-1].get("content")
    if not isinstance(said, str):
        return
    plain = [dict(message) for message in messages]
    text = render(plain)
    try:
        other = render([*plain[:-1], {**plain[-1], "content": f"x{said}x"}])
    except Error:
        return
    if other == text:
        raise ArgumentError(
            "The message does not appear in what the chat template makes of the conversation. A template prints it, as "
            "in {% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\\n{% endfor %}."
        )


def _not_text(err: Exception, messages: Sequence[Mapping[str, Any]]) -> Error | None:
    """A content that is no text, where that is what a template stumbled over."""
    from jinja2.exceptions import UndefinedError

    if not isinstance(err, TypeError) and not (isinstance(err, UndefinedError) and "has no attribute" in str(err)):
        return None
    for i, message in enumerate(messages):
        content = message.get("content")
        if not isinstance(content, str):
            kind = "None" if content is None else f"a {type(content).__name__}"
            return ArgumentError(f"messages[{i}]['content'] is {kind}, and this model's template takes only text.")
    return None


def _size(value: object) -> int:
    """Characters and items in nested input, which the work limit grows with."""
    stack, size = [value], 0
    while stack:
        top = stack.pop()
        size += len(top) if isinstance(top, str) else 1
        if isinstance(top, Mapping):
            stack.extend(top.values())
        elif isinstance(top, (list, tuple)):
            stack.extend(top)
        if size > 1 << 26:
            raise ArgumentError("The conversation holds more than 64 million characters.")
    return size


def _explained(err: Exception, line: int | None) -> Error:
    """One sentence for whatever went wrong inside jinja2 or the template."""
    from jinja2.exceptions import SecurityError, TemplateError, UndefinedError

    from .sandbox import WorkLimitError

    if isinstance(err, Error):
        return err
    message = " ".join(str(err).split())[:300]
    if isinstance(err, (WorkLimitError, SecurityError, UndefinedError)):
        what = message
    elif isinstance(err, RecursionError):
        what = "the template nests or recurses too deeply"
    elif isinstance(err, MemoryError):
        what = "the template needs more memory than there is"
    elif isinstance(err, TemplateError):
        what = message
    else:
        what = f"{type(err).__name__}: {message}"
    where = f"Chat template, line {line}" if line else "Chat template"
    return ArgumentError(f"{where}: {what.rstrip('.')}.")
