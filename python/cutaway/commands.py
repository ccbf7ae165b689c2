"""What each command does. `cli` reads the arguments; here they become calls of the package and output."""

import io
import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import cutaway as ca

from .catalogue import DEFAULT
from .errors import ArgumentError
from .numbers import sized

_ENGINE = ("compute", "threads", "isa", "n_ctx")
_SAMPLING = (
    "max_new_tokens",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "stop",
)


def _load(args: Namespace) -> Any:
    return ca.load(args.model, **{name: getattr(args, name) for name in _ENGINE})


def _sampling(args: Namespace) -> dict[str, Any]:
    """The settings that were given, checked; the others keep the package's defaults."""
    from .settings import parse_settings

    given = {name: getattr(args, name) for name in _SAMPLING if getattr(args, name) is not None}
    parse_settings(given, n_ctx=2**31, stop_ids=(), d_vocab=1)  # before a model is fetched and loaded
    return given


def _text(given: str | None, what: str) -> str:
    if given is not None and given != "-":
        return given
    if sys.stdin is None or (given is None and sys.stdin.isatty()):
        raise ArgumentError(f"Give {what} as an argument, or pipe it in.")
    return "".join(_piped())


def _piped() -> Iterator[str]:
    """The lines of stdin, each as soon as it is there."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="strict")  # in the C locale stray bytes would pass as surrogates
    try:
        yield from iter(sys.stdin.readline, "")
    except UnicodeDecodeError as err:
        raise ArgumentError(f"What is piped in is not text in {err.encoding}, at byte {err.start}.") from None


def _file(path: str, option: str) -> str:
    """The text of a file that an option names."""
    from .catalogue import near_path

    try:
        return Path(path).read_text("utf-8")
    except UnicodeDecodeError as err:
        raise ArgumentError(f"{option}: {path} is not text in UTF-8, at byte {err.start}.") from None
    except FileNotFoundError:
        from .views.chips import shorten

        hint = near_path(Path(path).absolute()) or f" {option} takes the path of a file that holds the text."
        raise ArgumentError(f"{option}: there is no file {shorten(path, 200)!r}.{hint}") from None
    except (OSError, ValueError) as err:
        raise ArgumentError(f"{option}: {path} cannot be read: {getattr(err, 'strerror', None) or err}.") from None


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def _plain(value: Any) -> Any:
    """NumPy values and other mappings as JSON knows them."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "items"):
        return dict(value.items())
    return str(value)


def _print_json(value: object, lines: bool = False) -> None:
    """lines: on one line, as of several objects each has one (JSON Lines)."""
    print(json.dumps(value, ensure_ascii=False, indent=None if lines else 2, default=_plain), flush=lines)


def _stream(stream: Any, as_json: bool) -> tuple[str, bool]:
    """Shows the text as it comes; the text and whether Ctrl-C cut it short. Without a tokenizer the ids are shown."""
    text, interrupted = "", False
    try:
        for step in stream:
            piece = f"{step.id} " if step.text is None else step.text
            text += piece
            if not as_json:
                print(piece, end="", flush=True)
    except KeyboardInterrupt:  # inside a step or between two: either way the stream ends here, and keeps what it has
        stream.close()
        interrupted = True
    if not as_json:
        print(flush=True)
    return text, interrupted


_RESULT = "text ids prompt_ids logprobs sampled_logprobs seed finish_reason fingerprint timings".split()


def _result(out: Any) -> dict[str, Any]:
    """A Generation for JSON: what it holds, and the settings that were in force."""
    settings = {**out.settings, "sampler": [_stage(stage) for stage in out.settings["sampler"].stages]}
    return {**{name: getattr(out, name) for name in _RESULT}, "settings": settings}


def _stage(stage: Any) -> dict[str, Any]:
    return {"stage": stage.name, **vars(stage)}


def _report(out: Any, as_json: bool, lines: bool = False) -> None:
    if as_json:
        _print_json(_result(out), lines)
    else:
        from .views.page import counted

        facts = [counted(len(out.ids), "token")]
        if out.timings["tokens_per_second"] > 0:  # the first token comes with the prompt: it alone has no rate
            facts.append(f"{out.timings['tokens_per_second']:.1f} tok/s")
        print(f"[{', '.join([*facts, f'seed {out.seed}', out.finish_reason, out.fingerprint])}]", file=sys.stderr)


def _prompt(args: Namespace) -> str | list[int]:
    if args.ids is not None and args.prompt is not None:
        raise ArgumentError("Give a prompt or --ids, not both.")
    return args.ids if args.ids is not None else _text(args.prompt, "a prompt")


def generate(args: Namespace) -> int:
    prompt, settings = _prompt(args), _sampling(args)
    stream = _load(args).generate(prompt, stream=True, **settings)
    _, interrupted = _stream(stream, args.json)
    _report(stream.result, args.json)
    return 130 if interrupted else 0


def chat(args: Namespace) -> int:
    settings = _sampling(args)
    template = {} if args.template is None else {"template": _file(args.template, "--template")}
    messages = [{"role": "system", "content": args.system}] if args.system else []
    typed = args.message is None and sys.stdin is not None and sys.stdin.isatty()
    if args.json and typed:
        raise ArgumentError("--json answers a message: give it as an argument, or pipe it in.")
    if typed:
        turns = _typed()
    elif args.message is None and sys.stdin is not None:
        turns = (line.rstrip("\r\n") for line in _piped() if line.strip())
    else:
        message = _text(args.message, "a message")
        if not message.strip():
            raise ArgumentError("the message is empty. Give the model something to answer.")
        turns = iter([message])
    model, answered = _load(args), False
    for said in turns:
        messages.append({"role": "user", "content": said})
        stream = model.chat(messages, stream=True, **template, **settings)
        text, interrupted = _stream(stream, args.json)
        if not typed:
            _report(stream.result, args.json, lines=args.message is None)
            if interrupted:
                return 130
        messages.append({"role": "assistant", "content": text})
        answered = True
    if not (answered or typed):
        raise ArgumentError("Nothing was piped in. Give a message as an argument, or pipe messages in, one a line.")
    return 0


def _typed() -> Iterator[str]:
    """What is typed at the prompt until Ctrl-D, without empty lines."""
    while True:
        try:
            said = input("> ")
        except EOFError:
            print()
            return
        if said.strip():
            yield said


def completion(args: Namespace) -> int:
    from .cli import parser
    from .completion import script

    print(script(parser(), args.shell), end="")
    return 0


def tokenize(args: Namespace) -> int:
    from .catalogue import resolve

    text = _text(args.text, "a text")
    tokenizer = ca.Tokenizer.from_file(resolve(args.model, tokenizer=True))
    ids = tokenizer.encode(text, add_special_tokens=args.add_special_tokens, parse_special=args.parse_special)
    tokens = tokenizer.tokens(ids)
    from .terminal import token_line, token_table
    from .views.page import visible

    if args.json:
        _print_json({"ids": ids, "tokens": [visible(token) for token in tokens]})
    else:
        console = _console()
        console.print(token_line(tokens))
        console.print(token_table(ids, tokens))
    return 0


def info(args: Namespace) -> int:
    if args.named is not None:
        if args.model not in (args.named, DEFAULT):
            raise ArgumentError(f"Give one model: {args.model}, or -m {args.named}.")
        args.model = args.named
    model = _load(args)
    facts = dict(model.info())
    tensors = facts.pop("tensors", {})
    if args.json:
        _print_json({**facts, "tensors": tensors} if args.tensors else facts)
        return 0
    facts["bytes"] = {name: sized(int(n)) for name, n in facts.get("bytes", {}).items()}
    _facts(facts, "bold")
    if args.tensors:
        _facts(tensors, "dim")
    return 0


def _facts(facts: Mapping[str, Any], style: str) -> None:
    """A line for each, however long: a path is there to be copied."""
    from rich.text import Text

    console, width = _console(), max(map(len, facts), default=0)
    for name, value in facts.items():
        console.print(Text(f"{name:<{width}}  ", style) + Text(_fact(value), "default"))


def _fact(value: Any) -> str:
    if hasattr(value, "items"):
        return ", ".join(f"{name} {_fact(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_fact, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def models(args: Namespace) -> int:
    from dataclasses import asdict

    from .cache import cache_dir
    from .packs import packs, packs_dir

    if args.clear_packs:
        return _clear_packs(args)
    kept = packs()
    if args.json:
        _print_json([asdict(row) for row in (kept if args.packs else ca.models())])
        return 0
    if not args.packs:
        _console().print(repr(ca.models()), markup=False)
        print(f"[kept in {cache_dir() / 'models'}]", file=sys.stderr)
    if len(kept):
        _console().print(("" if args.packs else "\n") + repr(kept), markup=False)
    if len(kept) or args.packs:
        print(f"[{_counted_packs(len(kept), sum(pack.size for pack in kept))} in {packs_dir()}]", file=sys.stderr)
    return 0


def _clear_packs(args: Namespace) -> int:
    from .packs import clear_packs, packs_dir

    n, size = clear_packs()
    if args.json:
        _print_json({"removed": n, "bytes": size})
    else:
        print(f"[removed {_counted_packs(n, size)} from {packs_dir()}]", file=sys.stderr)
    return 0


def _counted_packs(n: int, size: int) -> str:
    from .views.page import counted

    return f"{counted(n, 'pack file')}, {sized(size)}"


def verify(args: Namespace) -> int:
    from . import verify as verification
    from .views.page import counted

    names = list(args.models)
    if not names:
        here = {row.name for row in ca.models() if row.cached}
        names = [name for name in verification.stored() if name in here] or [DEFAULT]
        for name in verification.stored():
            if name not in names:
                print(f"{name} is not on this machine; `cutaway verify {name}` fetches it.", file=sys.stderr)
    done, interrupted = list[verification.Check](), False
    isas: list[str | None] = [*ca.isas()] if args.every_isa else [None]
    try:
        for given in names:
            name, path = verification.locate(given)
            for isa in isas:
                for check in verification.checks(name, path, isa, args.threads):
                    done.append(check)
                    if not args.json:
                        verdict = "same" if check.same else f"DIFFERS, expected {check.expected}"
                        tokens = counted(len(check.prompt_ids), "token")
                        print(f"{name} {check.compute} {check.isa} {tokens} {check.got} {verdict}", flush=True)
    except KeyboardInterrupt as err:
        if str(err):  # of a download
            print(f"cutaway: {err}", file=sys.stderr)
        interrupted = True
    different = sum(not check.same for check in done)
    if args.json:
        _print_json([{**vars(check), "same": check.same} for check in done])
    if different:
        raise ca.Error(
            f"{different} of {len(done)} fingerprints differ: this build computes other bits on this machine. Please "
            "report it with the lines above and the output of `cutaway info`."
        )
    if not (args.json or interrupted):
        print(f"[all {len(done)} fingerprints are the same: this machine computes the stored bits]", file=sys.stderr)
    return 130 if interrupted else 0
