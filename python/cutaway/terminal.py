"""Pictures for the terminal, in rich: tokens in colour, next-token bars, one head's attention pattern."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from .errors import ArgumentError
from .probabilities import softmax
from .views.chips import shorten
from .views.page import visible

_TOKEN_STYLES = ("black on cyan", "black on green", "black on yellow", "black on magenta", "white on blue")
_EIGHTHS = " ▏▎▍▌▋▊▉"
_SHADES = " ·░▒▓█"
_BLUE = (0x56, 0xA8, 0xE8)  # the upper end of the scale of the views
_LABEL = 14  # characters of a token that fit beside a picture


def token_line(tokens: Sequence[str | bytes]) -> Text:
    """The tokens one after another, each on a colour of its own so that spaces show."""
    line = Text()
    for i, token in enumerate(tokens):
        line.append(visible(token), style=_TOKEN_STYLES[i % len(_TOKEN_STYLES)])
    return line


def token_table(ids: Sequence[int] | np.ndarray, tokens: Sequence[str | bytes]) -> Table:
    table = Table("pos", "id", "token", box=None, header_style="dim")
    for position, (id, token) in enumerate(zip(ids, tokens, strict=True)):
        table.add_row(str(position), str(int(id)), Text(repr(visible(token))))
    return table


def bar(share: float, width: int) -> str:
    """A bar of `share` of `width` cells, to an eighth of a cell."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def heat(share: float) -> str:
    """The style of a share in [0, 1]: dark text on white to blue, the darker the more, on any terminal's ground."""
    v = min(max(share, 0.0), 1.0)
    red, green, blue = (round(low + v * (high - low)) for low, high in zip((255, 255, 255), _BLUE, strict=True))
    return f"#1b1f24 on #{red:02x}{green:02x}{blue:02x}"


def next_tokens(
    logits: np.ndarray, ids: Sequence[int] | np.ndarray, tokens: Sequence[str | bytes], width: int = 40
) -> Table:
    """Bars of the probabilities of some next tokens. logits: [d_vocab]; tokens[i] is the text of ids[i]."""
    if logits.ndim != 1 or not np.isfinite(logits.max()) or np.isnan(logits).any():
        raise ArgumentError(f"Next-token bars need one row of finite logits, got shape {list(logits.shape)}.")
    probs = softmax(logits)
    longest = max(probs[int(id)] for id in ids)
    table = Table(box=None, show_header=False, padding=(0, 1))
    for id, token in zip(ids, tokens, strict=True):
        p = float(probs[int(id)])
        name = Text(repr(visible(token)), style="bold")
        table.add_row(name, f"{100 * p:5.1f} %", Text(bar(p / longest, width), style="cyan"))
    return table


def attention(
    pattern: np.ndarray, tokens: Sequence[str | bytes], queries: Sequence[int] | None = None, first: int = 0
) -> Text:
    """One head's pattern [query_pos, key_pos] as shaded cells: a row says where that position looks.

    queries: the key at which each row's query stands (default: the last of the text). first: the first key's number.
    """
    n = len(tokens)
    at = list(range(n - len(pattern), n)) if queries is None else list(queries)
    if pattern.ndim != 2 or pattern.shape != (len(at), n) or len(at) > n:
        raise ArgumentError(
            f"The pattern has shape {list(pattern.shape)}, expected [query_pos, key_pos] with key_pos = {n}, as "
            f"many as tokens, and no more queries than keys."
        )
    numbers = "".join(f"{(first + key) % 100:<2d}" for key in range(n))
    picture = Text(" " * (_LABEL + 4) + numbers + "\n", style="dim")
    for query, weights in zip(at, pattern, strict=True):
        label = shorten(visible(tokens[query]), _LABEL)
        picture.append(f"{label:>{_LABEL}} {(first + query) % 100:2d} ", style="default")
        for weight in weights[: query + 1]:
            # square root: most weights are small, and the eye should see them
            shade = _SHADES[min(int(np.sqrt(max(float(weight), 0.0)) * len(_SHADES)), len(_SHADES) - 1)]
            picture.append(shade * 2, style="cyan")
        picture.append("\n")
    return picture
