"""The command line: cutaway generate | chat | explain | tokenize | info | models | compare | bench | verify | ...

Exit status: 0; 1 for what could not be done and 2 for a command line that cannot be read (one sentence on stderr);
130 for Ctrl-C (what was there stays); 141 where the reader of the output, such as `head`, has gone.
"""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence

from . import __version__, command_bench, command_compare, command_explain, commands
from .catalogue import DEFAULT
from .completion import SHELLS
from .errors import Error
from .options import sampling
from .parser import MODEL, Parser, whole_number


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    if sys.stderr is None:  # closed by the caller: remarks go nowhere
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        print("cutaway: stdout is closed, so there is nowhere to write to; nothing was done.", file=sys.stderr)
        return 1
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without Unicode gets escapes, not a traceback
    try:
        args = _parsed(sys.argv[1:] if argv is None else argv)
        status = int(args.run(args))
        sys.stdout.flush()  # a full disk is noticed here, not after the exit status is given
        return status
    except KeyboardInterrupt as err:
        if str(err):  # of a download, which says what is left
            print(f"cutaway: {err}", file=sys.stderr)
        return 130
    except Error as err:
        print(f"cutaway: {err}", file=sys.stderr)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _drop_output()
        return 141  # 128 + SIGPIPE, what a shell shows of a program that this signal ends
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
    if argv[:1] and argv[0] == "help":
        argv = [*argv[1:2], "--help"]
    top = parser()
    command = next((word for word in argv if word in _COMMANDS), None)
    if command and argv[0].startswith("-") and argv[0] not in top._option_string_actions:
        top.error(f"The command comes first: cutaway {command} {argv[0]} …")
    args, unknown = top.parse_known_args(argv)
    if unknown:
        args.parser.refuse(unknown)
    return args


class _Top(Parser):
    def format_help(self) -> str:
        width = max(map(len, _COMMANDS))
        return "\n".join([
            "cutaway: an LLM engine with the side panel off.",
            "",
            "usage: cutaway COMMAND ...",
            *(f"  {name:<{width}}  {summary}" for name, (_, summary, _, _) in _COMMANDS.items()),
            "",
            f"example: {_COMMANDS['generate'][2]}",
            "`cutaway COMMAND --help` has the options of a command and an example; `cutaway --version` the version.",
            "",
        ])  # fmt: skip


def _overview(args: argparse.Namespace) -> int:
    """Bare `cutaway`: what there is, as `cargo` and `gh` do. Asking for nothing is no mistake."""
    args.parser.print_help()
    return 0


def parser() -> argparse.ArgumentParser:
    top = _Top(prog="cutaway")
    top.add_argument("--version", action="version", version=f"cutaway {__version__}")
    top.set_defaults(run=_overview, parser=top)
    kinds = top.add_subparsers(metavar="COMMAND", parser_class=Parser)
    for name, (run, summary, example, groups) in _COMMANDS.items():
        sub = kinds.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=f"example: {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,  # the example stays on one line
        )
        for add in groups:
            add(sub)
        sub.set_defaults(run=run, parser=sub)
    return top


def _prompt(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("prompt", nargs="?", help="the text; left out or -, it is read from stdin")
    sub.add_argument("--ids", metavar="ID", type=whole_number, nargs="+", help="token ids in place of a text")


def _message(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "message", nargs="?", help="one message, or - for all of stdin; left out, a conversation, a line a turn"
    )
    sub.add_argument("--system", metavar="TEXT", help="what the conversation begins with")
    sub.add_argument("--template", metavar="FILE", help="a jinja2 chat template in place of the model's own")


def _text(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("text", nargs="?", help="the text; left out or -, it is read from stdin")
    sub.add_argument("--add-special-tokens", action="store_true", help="add BOS/EOS by the file's flags")
    sub.add_argument("--parse-special", action="store_true", help="read <|...|> and the like as special tokens")


def _model(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("-m", "--model", default=DEFAULT, help=MODEL)


def _model_first(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", nargs="?", default=DEFAULT, help=MODEL)
    sub.add_argument("-m", "--model", dest="named", metavar="MODEL", help="the same, as other commands take it")
    sub.add_argument("--tensors", action="store_true", help="list every tensor of the file")


def _models(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("models", nargs="*", metavar="MODEL", help="names or paths (default: what is on this machine)")
    sub.add_argument("--every-isa", action="store_true", help="with each instruction set of this machine")
    sub.add_argument("--threads", metavar="N", type=whole_number, help="threads (default: what this process may use)")


def _packs(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--packs", action="store_true", help="list the pack files alone: packed weights, by model")
    sub.add_argument("--clear-packs", action="store_true", help="remove them; the next load of a model packs it again")


def _engine(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument_group("engine").add_argument
    add("--compute", choices=("float32", "int8"), help="arithmetic (default: the file's)")
    add("--threads", metavar="N", type=whole_number, help="threads (default: what this process may use)")
    add("--isa", metavar="NAME", help="instruction set, one of ca.isas() (default: the last of them)")
    add("--n-ctx", metavar="N", type=whole_number, help="longest context, in tokens (default: the file's)")


def _explained(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--step", metavar="I", type=whole_number, help="the step to show in bars, from 0 (default: the only one)"
    )
    sub.add_argument(
        "--top", metavar="K", type=whole_number, default=10, help="bars of so many tokens (default: %(default)s)"
    )
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
        "Show what the sampler did at one step, or at each of several.",
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
    "models": (
        commands.models,
        "List the models that have a name, and pack files.",
        "cutaway models",
        (_packs, _as_json),
    ),
    "compare": (
        command_compare.compare,
        "Show what several models say to the same prompts, side by side.",
        f'cutaway compare gemma3-270m {DEFAULT} -p "What is the capital of France?"',
        (command_compare.arguments, _engine, _as_json),
    ),
    "bench": (
        command_bench.bench,
        "Measure a model's speed here, beside what this machine can do.",
        f"cutaway bench {DEFAULT} prefill decode",
        (command_bench.arguments, _engine, _as_json),
    ),
    "verify": (
        commands.verify,
        "Recompute stored fingerprints: the same bits on this machine?",
        f"cutaway verify {DEFAULT} --every-isa",
        (_models, _as_json),
    ),
    "completion": (
        commands.completion,
        "Print a script that completes what you type, for bash or zsh.",
        "cutaway completion bash",
        (_shell,),
    ),
}
