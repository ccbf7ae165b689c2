"""The parser of the command line: argparse, with its complaints as sentences that say what was meant, and status 2."""

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from .nearest import did_you_mean, known_elsewhere, nearest

MODEL = "catalogue name, path, or org/name of the hub (default: %(default)s)"
_TEXTS = ("prompt", "message", "text")
# What argparse says of an option -> what is said here.
_SENTENCES = (
    (r"argument (\S+): expected (?:at least )?one argument", r"\1 needs a value"),
    (r"argument -h/--help: ignored .*", "-h takes no value; a text that begins with - comes after --"),
    (r"argument (\S+): ignored explicit argument (.*)", r"\1 takes no value, got \2"),
    (r"argument (\S+): (.*)", r"\1 \2"),
    (r"the following arguments are required: (.*)", r"\1 is missing"),
    (r"ambiguous option: (\S+) could match (.*)", r"\1 is short for several: \2"),
)


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        for pattern, sentence in _SENTENCES:
            if re.fullmatch(pattern, message, re.S):
                message = re.sub(pattern, sentence, message, flags=re.S)
                break
        more = f"`{self.prog} --help` shows an example" if " " in self.prog else f"`{self.prog}` lists the commands"
        self.exit(2, f"cutaway: {message}{'' if message[-1] in '.?…' else '.'} {more}.\n")

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Exits over the words of the command line that found no place."""
        name, word = self.prog.split()[-1], words[0]
        text = next((a for a in self._actions if a.dest in _TEXTS and not a.option_strings), None)
        if not word.startswith("-"):
            if text is not None:
                self.error(f'{name} takes one {text.dest}; put it in quotes: "… {" ".join(words)}"')
            listed = any(a.nargs in ("*", "+") and not a.option_strings for a in self._actions)
            self.error(f"{name} has no use for {word!r}" + " there; options come behind all words" * listed)
        given, here = word.split("=")[0], self._option_string_actions
        renamed = known_elsewhere(given.lstrip("-").replace("-", "_"), [a.dest for a in self._actions])
        named = re.fullmatch(r" Did you mean (\w+)\?.*", renamed)
        near = [f"--{named[1].replace('_', '-')}"] if named else nearest(given, here, n=1, cutoff=0.6)
        hint = did_you_mean(near, "A text that begins with - comes after --." if text else "")
        self.error(f"{name} has no option {word}.{hint}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        hint = did_you_mean(nearest(value, known, n=1, cutoff=0.6))
        if isinstance(action, argparse._SubParsersAction):
            hint = hint or f" The first word is one of {', '.join(known)}."
            raise argparse.ArgumentError(None, f"There is no command {value!r}.{hint}")
        raise argparse.ArgumentError(action, f"must be {' or '.join(known)}, got {value!r}.{hint}")


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        comma = re.fullmatch(r"[+-]?\d*,\d+", text)
        hint = f"; it is written {text.replace(',', '.')}" if comma else ""
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}{hint}") from None


def whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None
