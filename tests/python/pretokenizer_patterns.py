"""The pre-tokenizers as their authors wrote them: regular expressions, run by the `regex` module. The definition that
the hand-written scanners are held against."""

from __future__ import annotations

from functools import cache

import regex

GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
CL100K = (
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"""
    r"""|\s++\Z|\s*[\r\n]|\s+(?!\S)|\s"""
)
LLAMA3 = (
    r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"""
    r"""|\s*[\r\n]+|\s+(?!\S)|\s+"""
)
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_REST = r"""| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
_PREFIX = r"[^\r\n\p{L}\p{N}]?"
O200K = f"{_PREFIX}{_UPPER}*{_LOWER}+{_CONTRACTION}|{_PREFIX}{_UPPER}+{_LOWER}*{_CONTRACTION}" + r"|\p{N}{1,3}" + _REST
TEKKEN = f"{_PREFIX}{_UPPER}*{_LOWER}+|{_PREFIX}{_UPPER}+{_LOWER}*" + r"|\p{N}" + _REST
CASED = (
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝ\u1f5f-\u1f7dᾀ-ᾴ\u1fb6-\u1fbc\u1fbeῂ-ῄῆ-ῌ"
    "\u1fd0-\u1fd3\u1fd6-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝ\u2124\u2126\u2128\u212a-\u212dℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃"
)
HAN_AND_MORE = r"[一-龥\u0800-一가-\uD7FF]+"

# Punctuation that is newer than Unicode 8, which `Punctuation` of the Hugging Face library does not know (U+166D and U+111C9 are no longer any).
NEW_PUNCTUATION = (
    "\u061d\u09fd\u0a76\u0c77\u0c84\u1b4e\u1b4f\u1b7d-\u1b7f\u2e43-\u2e4f\u2e52-\u2e5d\U00010d6e\U00010ead"
    "\U00010f55-\U00010f59\U00010f86-\U00010f89\U000113d4\U000113d5\U000113d7\U000113d8"
    "\U0001144b-\U0001144f\U0001145a\U0001145b\U0001145d\U00011660-\U0001166c\U000116b9\U0001183b"
    "\U00011944-\U00011946\U000119e2\U00011a3f-\U00011a46\U00011a9a-\U00011a9c\U00011a9e-\U00011aa2"
    "\U00011b00-\U00011b09\U00011be1\U00011c41-\U00011c45\U00011c70\U00011c71\U00011ef7\U00011ef8"
    "\U00011f43-\U00011f4f\U00011fff\U00012ff1\U00012ff2\U00016d6d-\U00016d6f\U00016e97-\U00016e9a\U00016fe2"
    "\U0001e5ff\U0001e95e\U0001e95f"
)

# Each expression cuts every piece that the one before it left: its matches, and what lies between them.
STEPS: dict[str, tuple[str, ...]] = {
    "gpt-2": (GPT2,),
    "smollm": (r"\p{N}", GPT2),
    "cl100k": (CL100K,),
    "o200k": (O200K,),
    "llama-bpe": (LLAMA3,),
    "qwen2": (LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"),),
    "tekken": (TEKKEN,),
    "deepseek-llm": (
        r"[\r\n]",
        rf"\s?[{CASED}]+",
        r"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+",
        r"\s+\Z",
        HAN_AND_MORE,
        r"\p{N}",
    ),
    "deepseek-coder": (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", HAN_AND_MORE, r"\p{N}"),
    "deepseek-v3": (
        r"\p{N}{1,3}",
        r"[一-龥\u3040-ゟ゠-ヿ]+",
        r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
        r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    ),
    "falcon": (rf"(?:(?![{NEW_PUNCTUATION}])[\p{{P}}$+<=>^`|~\u166d\U000111c9])+", GPT2, "[0-9]+", "[0-9][0-9][0-9]"),
    "bloom": (r" ?[^(\s|.,!?…。，、।۔،)]+",),
}


@cache
def _compiled(name: str) -> list[regex.Pattern[str]]:
    return [regex.compile(step) for step in STEPS[name]]


def pieces(name: str, text: str) -> list[str]:
    """The pieces that the steps of a pre-tokenizer leave of a text."""
    found = [text] if text else []
    for step in _compiled(name):
        found = [piece for whole in found for piece in _cut(step, whole)]
    return found


def _cut(step: regex.Pattern[str], whole: str) -> list[str]:
    out, at = [], 0
    for match in step.finditer(whole):
        out += [whole[at : match.start()], match.group()]
        at = match.end()
    return [piece for piece in [*out, whole[at:]] if piece]
