"""Writes csrc/tokenizer/normalize_tables.inc: decompositions, combining classes, lower case, and what is older.

Decompositions and combining classes are those of Unicode 16.0, from the package unicodedata2. The Hugging Face library
`tokenizers` has four generations of Unicode compiled in (its crates bring their own tables), and a tokenizer.json means
what that library does, so the differences are measured here on the library itself and kept as lists of code points: its
normaliser, StripAccents, BertNormalizer and Punctuation do not know newer characters, Lowercase and Digits know more.

    pip install unicodedata2==16.0.0 "tokenizers==0.23.*" && python scripts/make_normalizer_tables.py
"""

from collections.abc import Callable, Iterable
from pathlib import Path

VERSION = "16.0.0"
TARGET = Path(__file__).parent.parent / "csrc" / "tokenizer" / "normalize_tables.inc"
CHARACTERS = [cp for cp in range(0x110000) if not 0xD800 <= cp < 0xE000]
HANGUL = range(0xAC00, 0xD7A4)  # decomposed by arithmetic
ASCII_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def ranges(cps: Iterable[int]) -> list[tuple[int, int]]:
    """(first, last) of every run of consecutive code points."""
    found: list[tuple[int, int]] = []
    for cp in cps:
        if found and found[-1][1] == cp - 1:
            found[-1] = (found[-1][0], cp)
        else:
            found.append((cp, cp))
    return found


def decompositions() -> tuple[list[int], list[int]]:
    """Words of (kMapped, kShifted): see their comments in render()."""
    import unicodedata2

    single: list[tuple[int, int, int]] = []  # code point, compatibility flag, the one code point it becomes
    mapped: list[int] = []
    for cp in CHARACTERS:
        raw = unicodedata2.decomposition(chr(cp)).split()
        if not raw or cp in HANGUL:
            continue
        compatible = raw[0].startswith("<")
        to = [int(part, 16) for part in (raw[1:] if compatible else raw)]
        if len(to) == 1:
            single.append((cp, int(compatible), to[0]))
        else:
            mapped += [cp | int(compatible) << 21 | len(to) << 22, *to]
    shifted: list[list[int]] = []  # first, compatibility flag, target of the first, count
    for cp, compatible, to in single:
        last = shifted[-1] if shifted else None
        if last and cp == last[0] + last[3] and compatible == last[1] and to == last[2] + last[3]:
            last[3] += 1
        else:
            shifted.append([cp, compatible, to, 1])
    return mapped, [word for first, flag, to, n in shifted for word in (first | flag << 21, to, n)]


def combining_classes() -> list[int]:
    import unicodedata2

    words: list[int] = []
    for cp in CHARACTERS:
        value = unicodedata2.combining(chr(cp))
        if value != (words[-1] & 255 if words else 0):
            words.append(cp << 8 | value)
    return words


def never_composed() -> list[int]:
    """Pairs that canonical composition leaves apart though a character for them exists (Full_Composition_Exclusion)."""
    import unicodedata2

    found = []
    for cp in CHARACTERS:
        raw = unicodedata2.decomposition(chr(cp)).split()
        pair = len(raw) == 2 and not raw[0].startswith("<")
        if pair and unicodedata2.normalize("NFC", chr(cp)) != chr(cp):
            found.append(cp)
    return found


def lower_case() -> list[int]:
    """Words of runs: first, step to the next one, count, what to add."""
    from tokenizers.normalizers import Lowercase

    rule = Lowercase()
    runs: list[list[int]] = []
    for cp in CHARACTERS:
        lower = rule.normalize_str(chr(cp))
        if lower == chr(cp) or len(lower) != 1:  # U+0130 alone becomes two characters
            continue
        add = ord(lower) - cp
        last = runs[-1] if runs else None
        if last and last[3] == add and last[2] == 1 and cp - last[0] in (1, 2):
            last[1], last[2] = cp - last[0], 2
        elif last and last[3] == add and cp == last[0] + last[1] * last[2]:
            last[2] += 1
        else:
            runs.append([cp, 1, 1, add])
    return [word for run in runs for word in run]


def unknown_to_normaliser() -> list[tuple[int, int]]:
    """Characters whose decomposition or combining class the library does not have."""
    import unicodedata2
    from tokenizers.normalizers import NFKD

    nfkd = NFKD()
    found = []
    for cp in CHARACTERS:
        c, value = chr(cp), unicodedata2.combining(chr(cp))
        probe = c if not value else "\u0345" + c if value < 240 else c + "\u0315"  # classes 240 and 232
        if (value or unicodedata2.decomposition(c)) and nfkd.normalize_str(probe) != unicodedata2.normalize(
            "NFKD", probe
        ):
            found.append(cp)
    return ranges(found)


def differs(library: Callable[[str], bool], unicode: Callable[[str], bool]) -> list[tuple[int, int]]:
    return ranges(cp for cp in CHARACTERS if library(chr(cp)) != unicode(chr(cp)))


def older_properties() -> dict[str, list[tuple[int, int]]]:
    import unicodedata2
    from tokenizers import normalizers, pre_tokenizers

    category = unicodedata2.category
    bert_marks = normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False
    )
    bert_clean = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False
    )
    accents, punctuation, digits = normalizers.StripAccents(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits()
    kept = "\t\n\r"
    return {
        "kMarkDiffers": differs(lambda c: not accents.normalize_str(c), lambda c: category(c)[0] == "M"),
        "kNonspacingDiffers": differs(lambda c: not bert_marks.normalize_str(c), lambda c: category(c) == "Mn"),
        "kControlDiffers": differs(
            lambda c: not bert_clean.normalize_str(c),
            lambda c: c in "\0\ufffd" or (category(c) in ("Cc", "Cf", "Co") and c not in kept),
        ),
        "kPunctuationDiffers": differs(
            lambda c: len(punctuation.pre_tokenize_str("a" + c)) == 2,
            lambda c: category(c)[0] == "P" or c in ASCII_PUNCTUATION,
        ),
        "kNumericDiffers": differs(
            lambda c: len(digits.pre_tokenize_str("a" + c)) == 2, lambda c: category(c)[0] == "N"
        ),
    }


def scripts() -> list[int]:
    """Runs of one script as UnicodeScripts sees them: first code point << 8 | number; 0 goes with any."""
    from tokenizers.pre_tokenizers import UnicodeScripts

    rule = UnicodeScripts()

    def pieces(text: str) -> int:
        return len(rule.pre_tokenize_str(text))

    representatives: list[str] = []
    words: list[int] = []
    last = ""
    for cp in CHARACTERS:
        c = chr(cp)
        known = pieces(c) > 0  # a text of nothing but "any" has no piece at all
        if last and known == (pieces(last) > 0) and (not known or pieces(last + c) == 1):
            last = c
            continue
        number = 0
        if known:
            number = next((i + 1 for i, other in enumerate(representatives) if pieces(other + c) == 1), 0)
            if not number:
                representatives.append(c)
                number = len(representatives)
        words.append(cp << 8 | number)
        last = c
    if len(representatives) > 255:
        raise SystemExit(f"{len(representatives)} scripts do not fit a byte")
    return words


def array(name: str, comment: str, words: Iterable[int], signed: bool = False) -> str:
    lines, line = [], ""
    for word in words:
        item = (f"{word}" if signed else f"0x{word:X}" if word > 9 else f"{word}") + ", "
        if len(line) + len(item) > 110:
            lines.append(line.rstrip())
            line = ""
        line += item
    lines.append(line.rstrip())
    return f"// {comment}\nconstexpr {'int32_t' if signed else 'uint32_t'} {name}[] = {{\n" + "\n".join(lines) + "};\n"


def flat(pairs: list[tuple[int, int]]) -> list[int]:
    return [word for pair in pairs for word in pair]


def render() -> str:
    import unicodedata2

    if unicodedata2.unidata_version != VERSION:
        raise SystemExit(f"unicodedata2 {unicodedata2.unidata_version} found, {VERSION} needed")
    mapped, shifted = decompositions()
    unknown = flat(unknown_to_normaliser())
    parts = [
        "// Generated by scripts/make_normalizer_tables.py. Do not edit.\n// clang-format off\n",
        array("kMapped", "Code point | compatibility << 21 | length << 22, then what it decomposes into.", mapped),
        array("kShifted", "Runs that decompose into a run: first | compatibility << 21, its target, count.", shifted),
        array("kCombining", "Runs of one combining class: first << 8 | class.", combining_classes()),
        array("kNeverComposed", "Characters that are not made of the pair they decompose into.", never_composed()),
        array("kLower", "Runs of upper case: first, step, count, what to add.", lower_case(), signed=True),
        array("kUnknown", "First, last: their decompositions and classes are not known.", unknown),
    ]
    for name, found in older_properties().items():
        parts.append(array(name, "First, last: the property is the opposite of Unicode 16's.", flat(found)))
    parts.append(array("kScripts", "Runs of one script: first << 8 | number; 0 goes with any.", scripts()))
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(render())
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")
