"""`cutaway compare`: the same prompts through several models."""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import cutaway as ca

from .commands import _ENGINE, _SAMPLING, _console, _file, _print_json, _text
from .errors import ArgumentError, Error
from .options import sampling
from .pages import writable
from .parser import whole_number


def arguments(sub: ArgumentParser) -> None:
    sub.add_argument(
        "models",
        metavar="MODEL",
        nargs="+",
        help="names, paths, or org/name of the hub; LABEL=MODEL gives a label",
    )
    sub.add_argument("-p", "--prompt", metavar="TEXT", action="append", help="a prompt; may be given several times")
    sub.add_argument("--prompts", metavar="FILE", help="prompts, one a line; a .json file holds a list; - is stdin")
    sub.add_argument(
        "--template",
        metavar="LABEL=FILE",
        action="append",
        help="what surrounds the prompt for a model: a file with {prompt} or Jinja; LABEL= is raw text",
    )
    sub.add_argument(
        "--samples", metavar="N", type=whole_number, default=1, help="answers to each prompt (default: %(default)s)"
    )
    sampling(sub, n="50", temperature="0.7", seed="0; sample j draws with seed + j")
    out = sub.add_argument_group("output").add_argument
    out("--resume", metavar="FILE", help="keep each finished row here; the same command goes on from it")
    out("--html", metavar="FILE", help="write the side-by-side view as a page")
    out("--bits", action="store_true", help="add bits per byte of each model on the same texts")
    out("--no-progress", action="store_true", help="no bar on stderr")


def compare(args: Namespace) -> int:
    if args.html is not None:
        writable(args.html)
    settings: dict[str, Any] = {name: getattr(args, name) for name in _SAMPLING if name != "seed"}
    result = ca.compare(
        _models(args.models),
        _prompts(args),
        n=args.samples,
        seed=args.seed or 0,
        templates=_templates(args.template or []),
        load={name: getattr(args, name) for name in _ENGINE},
        resume=args.resume,
        progress=not args.no_progress,
        **settings,
    )
    bits, interrupted = None, result.interrupted
    if args.bits and not interrupted:
        try:
            bits = result.bits_per_byte(progress=not args.no_progress)
        except KeyboardInterrupt:  # the answers are there all the same
            interrupted = True
    unwritten = _save(result, args.html)
    if args.json:
        more = {} if bits is None else {"bits_per_byte": _without_nan(bits.records())}
        _print_json({"rows": _without_nan(result.records()), "interrupted": interrupted, **more})
    else:
        from rich.text import Text

        console = _console()
        if not args.html or unwritten:
            console.print(result)
        if bits is not None:
            console.print(Text(repr(bits)))
    if unwritten:
        raise unwritten
    return 130 if interrupted else 0


def _save(result: Any, path: str | None) -> Error | None:
    """Writes the page. What went wrong is told after the rows are shown: they may be an hour's work."""
    if path is None:
        return None
    try:
        print(f"[wrote {result.save(path)}]", file=sys.stderr)
    except Error as err:
        return err
    return None


def _models(given: list[str]) -> dict[str, str]:
    """Label -> model. LABEL=MODEL gives the label, unless there is a file of that name."""
    models: dict[str, str] = {}
    for one in given:
        label, found, model = one.partition("=")
        if not found or Path(one).exists():
            label, model = Path(one).name.removesuffix(".gguf"), one
        if label in models:
            raise ArgumentError(f"Two models are called {label!r}. Write LABEL=MODEL to tell them apart.")
        models[label] = model
    return models


def _prompts(args: Namespace) -> list[str]:
    prompts = list(args.prompt or [])
    if args.prompts:
        text = _text("-", "prompts") if args.prompts == "-" else _file(args.prompts, "--prompts")
        lines = (line for line in text.split("\n") if line.strip())
        prompts += _listed(text, args.prompts) if args.prompts.endswith(".json") else lines
    if prompts and not any(prompt.strip() for prompt in prompts):
        raise ArgumentError(f"The prompt{'s are' if prompts[1:] else ' is'} empty. Give the models a text to answer.")
    if not prompts:
        raise ArgumentError("There are no prompts. Give them with -p TEXT, or --prompts FILE with one a line.")
    return prompts


def _listed(text: str, name: str) -> list[str]:
    try:
        listed = json.loads(text)
    except ValueError as err:
        raise ArgumentError(f"{name} is not JSON: {err}.") from None
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ArgumentError(f"{name} holds no list of texts.")
    return listed


def _templates(given: list[str]) -> dict[str, str | None]:
    templates: dict[str, str | None] = {}
    for one in given:
        label, found, file = one.partition("=")
        if not found:
            raise ArgumentError(f"--template is {one!r}, expected LABEL=FILE, or LABEL= for raw text.")
        templates[label] = _file(file, "--template") if file else None
    return templates


def _without_nan(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """JSON has no NaN."""
    return [{name: None if value != value else value for name, value in record.items()} for record in records]
