"""The command line: cutaway generate | chat | explain | tokenize | info | models | compare | verify | completion.

Exit status: 0, 1 for a mistake (one sentence on stderr), 130 for Ctrl-C (what was there stays).
"""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from . import __version__, command_compare, command_explain, commands
from .catalogue import DEFAULT
from .completion import SHELLS
from .errors import Error
from .nearest import nearest
from .options import sampling


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    if sys.stdout is None or sys.stderr is None:  # closed by the caller: what is said goes nowhere
        sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without Unicode gets escapes, not a traceback
    args = _parsed(sys.argv[1:] if argv is None else argv)
    try:
        status = int(args.run(args))
        sys.stdout.flush()  # a full disk is noticed here, not after the exit status is given
        return status
    except KeyboardInterrupt:
        return 130
    except Error as err:
        print(f"cutaway: {err}", file=sys.stderr)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _drop_output()
    except OSError as err:
        print(f"cutaway: {err.filename or 'output'}: {err.strerror or err}", file=sys.stderr)
        _drop_output()
    return 1


def _drop_output() -> None:
    """Nothing more can be written to stdout, also not by the flush at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    top = parser()
    args, unknown = top.parse_known_args(argv)
    if unknown:
        name = next(word for word in argv if word in _COMMANDS)
        sub = next(a.choices[name] for a in top._actions if isinstance(a, argparse._SubParsersAction))
        near = nearest(unknown[0].split("=")[0], sub._option_string_actions, n=1, cutoff=0.6)
        hint = f", perhaps {near[0]} was meant" if near else ""
        sub.error(f"{name} has no argument {unknown[0]}{hint}")
    return args


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(1, f"cutaway: {message}. `{self.prog} --help` shows an example.\n")


def parser() -> argparse.ArgumentParser:
    top = _Parser(
        prog="cutaway",
        description="An LLM engine with the side panel off.",
        epilog="exit status: 0, 1 for a mistake (one sentence on stderr), 130 for Ctrl-C (what was there stays)",
    )
    top.add_argument("--version", action="version", version=f"cutaway {__version__}")
    kinds = top.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, (run, summary, example, groups) in _COMMANDS.items():
        sub = kinds.add_parser(name, help=summary, description=summary, epilog=f"example: {example}")
        for add in groups:
            add(sub)
        sub.set_defaults(run=run)
    return top


def _prompt(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("prompt", nargs="?", help="the text; left out or -, it is read from stdin")
    sub.add_argument("--ids", metavar="ID", type=int, nargs="+", help="token ids in place of a text")


def _message(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("message", nargs="?", help="one message; left out, a conversation until Ctrl-D")
    sub.add_argument("--system", metavar="TEXT", help="what the conversation begins with")
    sub.add_argument("--template", metavar="FILE", help="a jinja2 chat template in place of the model's own")


def _text(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("text", nargs="?", help="the text; left out or -, it is read from stdin")
    sub.add_argument("--add-special-tokens", action="store_true", help="add BOS/EOS by the file's flags")
    sub.add_argument("--parse-special", action="store_true", help="read <|...|> and the like as special tokens")


def _model(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("-m", "--model", default=DEFAULT, help="catalogue name or path (default: %(default)s)")


def _model_first(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", nargs="?", default=DEFAULT, help="catalogue name or path (default: %(default)s)")
    sub.add_argument("--tensors", action="store_true", help="list every tensor of the file")


def _models(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("models", nargs="*", metavar="MODEL", help="names or paths (default: what is on this machine)")
    sub.add_argument("--every-isa", action="store_true", help="with each instruction set of this machine")
    sub.add_argument("--threads", metavar="N", type=int, help="threads (default: what this process may use)")


def _engine(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument_group("engine").add_argument
    add("--compute", choices=("float32", "int8"), help="arithmetic (default: the file's)")
    add("--threads", metavar="N", type=int, help="threads (default: what this process may use)")
    add("--isa", metavar="NAME", help="instruction set, one of ca.isas() (default: the fastest)")
    add("--n-ctx", metavar="N", type=int, help="longest context, in tokens (default: the file's)")


def _explained(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--step", metavar="I", type=int, help="the step to show in bars, from 0 (default: the only one)")
    sub.add_argument("--top", metavar="K", type=int, default=10, help="bars of so many tokens (default: %(default)s)")
    sub.add_argument("--html", metavar="FILE", help="write what is shown to this page too")
    sampling(sub, "1, or as many as --step needs")


def _shell(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("shell", choices=SHELLS, help="the shell that is to complete")


def _as_json(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--json", action="store_true", help="JSON on stdout")


_Command = tuple[Callable[[argparse.Namespace], int], str, str, tuple[Callable[[argparse.ArgumentParser], None], ...]]
# name: what runs, what it does, an example, its arguments
_COMMANDS: dict[str, _Command] = {
    "generate": (
        commands.generate,
        "Continue a text.",
        'cutaway generate "The capital of France is" -n 20 -t 0',
        (_prompt, _model, sampling, _engine, _as_json),
    ),
    "chat": (
        commands.chat,
        "Talk with an instruct model.",
        'cutaway chat "Why is the sky blue?" --seed 7',
        (_message, _model, sampling, _engine, _as_json),
    ),
    "explain": (
        command_explain.explain,
        "Show what the sampler did: bars of one step, or a line for each of several.",
        'cutaway explain "The capital of France is" -t 0.7 --top-p 0.9 --seed 7',
        (_prompt, _model, _explained, _engine, _as_json),
    ),
    "tokenize": (
        commands.tokenize,
        "Show a text as tokens.",
        'cutaway tokenize "Hello world"',
        (_text, _model, _as_json),
    ),
    "info": (
        commands.info,
        "Show what a model is and how it would run here.",
        f"cutaway info {DEFAULT}",
        (_model_first, _engine, _as_json),
    ),
    "models": (commands.models, "List the models that have a name.", "cutaway models", (_as_json,)),
    "compare": (
        command_compare.compare,
        "Show what several models say to the same prompts, side by side.",
        f'cutaway compare gemma3-270m {DEFAULT} -p "What is the capital of France?"',
        (command_compare.arguments, _engine, _as_json),
    ),
    "verify": (
        commands.verify,
        "Recompute stored fingerprints: the same bits on this machine?",
        f"cutaway verify {DEFAULT} --every-isa",
        (_models, _as_json),
    ),
    "completion": (
        commands.completion,
        "Print a script that completes commands, options, models and files.",
        "cutaway completion bash",
        (_shell,),
    ),
}
