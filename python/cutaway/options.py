"""Options of the command line that several commands share."""

import argparse

from .parser import number, whole_number


def sampling(
    sub: argparse.ArgumentParser, n: str = "128", temperature: str = "1", seed: str = "one is picked and shown"
) -> None:
    """The keywords of `generate`; the texts say which defaults are in force where an option is left out."""
    add = sub.add_argument_group("sampling").add_argument
    add("-n", "--max-new-tokens", metavar="N", type=whole_number, help=f"stop after so many tokens (default: {n})")
    add("-t", "--temperature", metavar="T", type=number, help=f"0 is greedy (default: {temperature})")
    add("--top-k", metavar="K", type=whole_number, help="keep the k largest logits (default: 0, all)")
    add("--top-p", metavar="P", type=number, help="keep the nucleus of this probability (default: 1)")
    add("--min-p", metavar="P", type=number, help="drop what is below this share of the top (default: 0)")
    add("--repetition-penalty", metavar="X", type=number, help="default: 1, off")
    add("--presence-penalty", metavar="X", type=number, help="default: 0, off")
    add("--frequency-penalty", metavar="X", type=number, help="default: 0, off")
    add("--seed", metavar="N", type=whole_number, help=f"same seed, same text (default: {seed})")
    add("--stop", metavar="TEXT", action="append", help="a text to stop at; may be given several times")
