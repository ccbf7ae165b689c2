"""A thousand lines of each kind that tokenizers get wrong, the same on every run."""

from __future__ import annotations

import json
import random
from functools import cache

from conftest import ROOT
from tokenizer_files import golden_lines
from ugly_texts import BITS

N = 1000
EMOJI = [
    "😀",
    "👍",
    "👩",
    "👨",
    "👧",
    "🧑",
    "❤",
    "✌",
    "☺",
    "🏳",
    "🌈",
    "💻",
    "🚀",
    "🦰",
    "🇩",
    "🇪",
    "🇮",
    "🇳",
    "#",
    "1",
    "♂",
    "⚕",
]
JOINERS = ["\u200d", "\ufe0f", "\u20e3", "🏽", "🏿", "\U000e0067", "\U000e007f", "\u200c", "\ufe0e"]
MARKS = ["\u0301", "\u0308", "\u0327", "\u0338", "\u0345", "\u034f", "\u0483", "\u05b8", "\u0651", "\u093c", "\u094d",
         "\u0e49", "\u1039", "\u3099", "\u20d7", "\u200d", "\ufe20"]  # fmt: skip
BASES = ["a", "e", "O", "ß", "ı", "я", "י", "ش", "क", "ก", "က", "か", "가", "1", " ", "中", "ﬁ", "Å"]
TURNS = ["\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2069", "\u061c"]
SIDES = [
    "שלום",
    "עולם",
    "مرحبا",
    "عالم",
    "hello",
    "World's",
    "123",
    "٤٥٦",
    "۷۸",
    "(a)",
    "[ب]",
    ", ",
    "؟",
    "! ",
    " ",
    "-",
    "%",
]


def _mixed(seed: str, *alphabets: list[str], most: int = 16) -> list[str]:
    """Lines of characters of the alphabets in turn."""
    rng = random.Random(seed)
    return ["".join(rng.choice(alphabets[i % len(alphabets)]) for i in range(rng.randint(1, most))) for _ in range(N)]


def _files(pattern: str, folder: str) -> list[str]:
    paths = sorted((ROOT / folder).rglob(pattern))
    return [line for path in paths for line in path.read_text("utf-8").split("\n") if line.strip()]


@cache
def hard_lines() -> dict[str, list[str]]:
    """{kind: lines}"""
    rng = random.Random("lines")
    plain = golden_lines()
    python, cpp = _files("*.py", "python/cutaway"), _files("*.cpp", "csrc/tokenizer")
    record = {
        "name": plain[:60],
        "at": [i / 7 for i in range(200)],
        "nested": [{"k": i, "none": None} for i in range(150)],
    }
    written = json.dumps(record, indent=2, ensure_ascii=False).split("\n") + [
        json.dumps(plain[i : i + 2]) for i in range(N)
    ]
    return {
        "Python": rng.sample(python, N),
        "C++": rng.sample(cpp, N),
        "JSON": written[:N],
        "emoji with joiners": _mixed("emoji", EMOJI, JOINERS, [*EMOJI, " ", "a"]),
        "combining marks": _mixed("marks", BASES, MARKS, [*MARKS, *BASES]),
        "bidirectional": _mixed("turns", SIDES, TURNS, SIDES),
        "CRLF": ["\r\n".join(rng.sample(python, 3)) + rng.choice(["", "\r\n", "\r", "\n\r", "\r\n\r\n"]) for _ in range(N)],
        "tabs": ["\t" * rng.randint(1, 4) + "\t".join(line.split(" ")) + "\t" * rng.randint(0, 2) for line in rng.sample(cpp, N)],
        "NUL": ["\0".join(rng.choices([*BITS, "", *plain[:50]], k=rng.randint(2, 5))) for _ in range(N)],
    }  # fmt: skip
