"""A jinja2 sandbox with a work limit: templates come inside model files, so they are strangers' programs.

jinja2's own sandbox keeps a template away from Python's internals; it does not bound time or memory. Here every loop
turn, call, filter, string operation and printed value is paid for, before it runs, out of one budget. What has no use
in a chat template and no simple price (str.translate, int.to_bytes, the filter `urlize`, ...) is not offered.
"""

import json
import re
import time
from collections.abc import Callable, ItemsView, KeysView, ValuesView
from contextvars import ContextVar
from datetime import datetime
from functools import wraps
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

STEPS = 200_000  # ten times what 1,000 messages cost in the dearest real template that looks at each once
CPU_SECONDS = 0.5
CHARS_PER_STEP = 64  # copying text and walking containers is that much cheaper than running a statement
ITEMS_PER_STEP = 16
LARGEST_WIDTH = 10_000  # of a padded field, an indentation, a batch
LARGEST_INT_BITS = 4096

_STR_METHODS = frozenset(
    "capitalize casefold center count endswith find format index isalnum isalpha isascii isdecimal isdigit islower "
    "isnumeric isspace istitle isupper join ljust lower lstrip partition removeprefix removesuffix replace rfind "
    "rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title upper zfill".split()
)
_FILTERS_NOT_OFFERED = ("forceescape", "pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr")
_WIDTH_FILTERS = frozenset(("batch", "center", "filesizeformat", "indent", "int", "round", "slice", "truncate"))
_SEQUENCE_FILTERS = frozenset(
    "attr batch count d default dictsort first groupby items last length list map max min reject rejectattr reverse "
    "select selectattr slice sort sum tojson unique".split()
)
_WIDE_FIELD = re.compile(r"\d{5}|%[^a-zA-Z%]*\*|\{[^{}]*\{")  # a width of 5 digits, one taken from an argument


class WorkLimitError(Exception):
    """The template asked for more than the budget."""


class Work:
    """What a template may still do: steps, and seconds of this thread's processor time as a net under them."""

    def __init__(self, input_size: int = 0, messages: int = 0) -> None:
        """input_size: characters and items given. messages: some real templates look back from each to the first."""
        self.steps = self.left = STEPS + 4 * (input_size + messages**2)
        self.seconds = CPU_SECONDS + 2e-6 * input_size + 1e-5 * messages**2
        self.began_cpu = time.thread_time()
        self.look_again = time.perf_counter() + self.seconds

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise WorkLimitError(f"the template asks for more work than a chat template may do ({self.steps:,} steps)")
        now = time.perf_counter()
        if now > self.look_again:  # wall time is the cheap clock; a busy machine is no reason to refuse
            if time.thread_time() - self.began_cpu > self.seconds:
                self.left = -1
                raise WorkLimitError(f"the template runs longer than {self.seconds:.1f} seconds")
            self.look_again = now + 0.05

    def spend_text(self, chars: int) -> None:
        self.spend(1 + chars // CHARS_PER_STEP)

    def weigh(self, value: object, printed: bool) -> None:
        """Pays for a value as if every shared part were written out: nesting the same list twice, forty times over,
        is a small object with 2^40 leaves."""
        stack, items, chars = [value], 0, 0
        while stack:
            top = stack.pop()
            items += 1
            if isinstance(top, str):
                chars += len(top)
            elif isinstance(top, dict):
                stack.extend(top)
                stack.extend(top.values())
            elif isinstance(top, (list, tuple, set, frozenset, ItemsView, KeysView, ValuesView)):
                stack.extend(top)
            elif printed and isinstance(top, Namespace):
                raise TemplateError("a namespace object cannot be printed")
            if items % 4096 == 0:
                self.spend(4096 // ITEMS_PER_STEP)
        self.spend(items % 4096 // ITEMS_PER_STEP)
        if printed:
            self.spend_text(chars)


_work: ContextVar[Work] = ContextVar("work")


class Generation(Extension):
    """`{% generation %}`, which training tools put around the assistant's words: its body, as it stands."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


class _Meter(NodeTransformer):
    """Adds the price of loops, `~` and container displays to the syntax tree."""

    @staticmethod
    def _call(name: str, args: list[Any], line: int) -> nodes.Call:
        call = nodes.Call(nodes.EnvironmentAttribute(name), args, [], None, None, lineno=line)
        return call.set_lineno(line)  # type: ignore[return-value]

    def visit_For(self, node: nodes.For) -> nodes.Node:
        text = sum(len(part.data) for part in node.find_all(nodes.TemplateData))
        self.generic_visit(node)
        turn = self._call("pay", [nodes.Const(1 + text // CHARS_PER_STEP)], node.lineno)
        node.body.insert(0, nodes.ExprStmt(turn, lineno=node.lineno))
        if node.test is not None:
            node.test = nodes.And(self._call("pay", [nodes.Const(1)], node.lineno), node.test, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return self._call("concatenate", node.nodes, node.lineno)

    def visit_List(self, node: nodes.Expr) -> nodes.Node:
        self.generic_visit(node)
        return self._call("built", [node], node.lineno)

    visit_Dict = visit_List

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        return self.visit_List(node) if node.ctx == "load" else self.generic_visit(node)


class Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols], finalize=printed)
        self.globals.pop("lipsum")
        self.globals.update(raise_exception=raise_exception, strftime_now=strftime_now)
        for name in _FILTERS_NOT_OFFERED:
            self.filters.pop(name, None)
        self.filters["tojson"] = tojson
        self.filters = {name: _priced(name, function) for name, function in self.filters.items()}

    def compile_metered(self, source: str) -> Any:
        """The template, compiled; constants are folded while compiling, so that is paid for too."""
        token = _work.set(Work(len(source)))
        try:
            tree = _Meter().visit(self.parse(source))
            return self.template_class.from_code(self, self.compile(tree), self.make_globals(None))
        finally:
            _work.reset(token)

    def render_metered(self, template: Any, variables: dict[str, Any], work: Work) -> str:
        token = _work.set(work)
        try:
            pieces = []
            for piece in template.root_render_func(template.new_context(variables)):
                work.spend_text(len(piece))
                pieces.append(piece)
            return "".join(pieces)
        finally:
            _work.reset(token)

    def pay(self, steps: int) -> bool:
        _work.get().spend(steps)
        return True

    def built(self, value: object) -> object:
        _work.get().weigh(value, printed=False)
        return value

    def concatenate(self, *values: object) -> str:
        _work.get().weigh(values, printed=True)
        return "".join(str(value) for value in values)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str) and attr not in _STR_METHODS:
            return False
        if isinstance(obj, (int, float, bytes, type)):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        work = _work.get()
        work.spend(1)
        owner = getattr(getattr(obj, "__wrapped__", obj), "__self__", None)
        if isinstance(owner, str):
            args = _pay_for_method(work, owner, obj.__name__, args, kwargs)
        result = super().call(context, obj, *args, **kwargs)
        if isinstance(result, str):
            work.spend_text(len(result))
        elif isinstance(result, list):
            work.spend(len(result) // ITEMS_PER_STEP)
        elif obj is dict:
            work.weigh(result, printed=False)
        return result

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        work = _work.get()
        if operator == "%" and isinstance(left, str):
            _check_format(left)
            work.weigh((left, right), printed=True)
        elif operator == "+" and isinstance(left, str) and isinstance(right, str):
            work.spend_text(len(left) + len(right))
        elif operator == "+" and isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
            work.spend((len(left) + len(right)) // ITEMS_PER_STEP)
        elif operator == "*":
            for many, times in ((left, right), (right, left)):
                if isinstance(many, (str, list, tuple)) and isinstance(times, int):
                    work.spend(len(many) * max(times, 0) // ITEMS_PER_STEP)
        if operator in ("*", "**") and isinstance(left, int) and isinstance(right, int):
            bits = left.bit_length() + right.bit_length() if operator == "*" else left.bit_length() * abs(right)
            if bits > LARGEST_INT_BITS:
                raise WorkLimitError(f"the template computes a number of more than {LARGEST_INT_BITS} bits")
        return super().call_binop(context, operator, left, right)


def printed(value: Any) -> Any:
    """Called with the value of every `{{ ... }}`, also where a macro or a block collects it."""
    if isinstance(value, str):
        _work.get().spend_text(len(value))
    else:
        _work.get().weigh(value, printed=True)
    return value


def raise_exception(message: str) -> None:
    raise TemplateError(str(message))


def strftime_now(form: str) -> str:
    _check_format(form)
    if len(form) > 200:
        raise WorkLimitError("the template asks strftime_now for a date of more than 200 characters")
    return datetime.now().strftime(form)


def tojson(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """json.dumps as chat templates expect it: no HTML escapes, characters as they are."""
    if indent is not None and (not isinstance(indent, int) or indent > 16):
        raise WorkLimitError(f"tojson: indent must be at most 16, got {indent!r}")
    _work.get().weigh((value, separators), printed=True)
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _check_format(form: str) -> None:
    if _WIDE_FIELD.search(form):
        raise WorkLimitError("the template formats a field whose width is unbounded")


def _check_widths(name: str, values: tuple[Any, ...]) -> None:
    for value in values:
        if isinstance(value, int) and abs(value) > LARGEST_WIDTH:
            raise WorkLimitError(f"the template asks {name} for a width of {value:,}; at most {LARGEST_WIDTH:,}")


def _pay_for_method(work: Work, text: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    if name in ("center", "ljust", "rjust", "zfill"):
        _check_widths(name, args)
        work.spend_text(LARGEST_WIDTH)
    elif name == "format":
        _check_format(text)
        work.weigh((text, args, kwargs), printed=True)
    elif name == "join" and args:
        args = (list(args[0]),)
        work.weigh(args[0], printed=True)
        work.spend_text(len(text) * len(args[0]))
    elif name == "replace" and len(args) >= 2:
        work.spend_text(len(text) + text.count(args[0]) * len(args[1]))
    else:
        work.spend_text(len(text))
    return args


def _priced(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, paid for. wraps() keeps jinja2's mark of which context object the filter is passed first."""
    passed = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def run(*all_args: Any, **kwargs: Any) -> Any:
        work = _work.get()
        work.spend(1)
        value, *rest = all_args[passed:]
        settings = (*rest, *kwargs.values())
        if name in _WIDTH_FILTERS:
            _check_widths(name, settings)
        if name == "join":
            value = list(value)
            work.weigh(value, printed=True)
            work.spend_text(len(value) * max((len(s) for s in settings if isinstance(s, str)), default=0))
        elif name == "sum" and any(not isinstance(s, (int, float, str)) and s is not None for s in settings):
            raise TemplateError("sum adds numbers only")
        elif name not in _SEQUENCE_FILTERS:
            work.weigh((value, *settings), printed=True)
        if name == "format":
            _check_format(str(value))
        elif name == "replace" and len(rest) >= 2:
            work.spend_text(str(value).count(str(rest[0])) * len(str(rest[1])))
        elif name in ("indent", "center"):
            width = max((len(s) if isinstance(s, str) else int(s) for s in settings), default=0)
            work.spend_text((str(value).count("\n") + 1) * max(width, 80))
        result = function(*all_args[:passed], value, *rest, **kwargs)
        if isinstance(result, str):
            work.spend_text(len(result))
        elif isinstance(result, (list, tuple)):
            work.spend(len(result) // ITEMS_PER_STEP)
        return result

    return run
