"""What every view is: HTML that stands alone, for notebooks and files, and a text rendering for terminals.

Rules of the house. Nothing comes from outside and everything shows before a script runs. Colours are CSS variables with
a light and a dark value; a share in [0, 1] is `style="--v:0.4"` on an element of class `heat`, mixed between two ends
in OKLab, so lightness falls (in the dark, rises) steadily with the share, no two hues need telling apart, and one text
colour is readable over all of it. What shows on hover also shows on focus, and what has it can be reached by Tab. What
is wider than the page scrolls inside a `wide` box. A notebook that is not trusted loses its style sheets and scripts:
what says nothing without them is `hidden=hidden` (JupyterLab drops an empty attribute) with the class tip or styled,
so that the text alone remains.
"""

from __future__ import annotations

import html
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import checked_arguments
from ..errors import Error
from .shown import frame

if TYPE_CHECKING:
    from rich.console import RenderableType

# All views of a notebook share one cascade, in the order of its cells: what a kind of view overrides must weigh more.
# A notebook's own theme (JupyterLab, VS Code, Colab) goes before the system's.
STYLE = """
.ca{color-scheme:light dark;--bg:light-dark(#fff,#16181d);--fg:light-dark(#1b1f24,#e6e8eb);
--dim:light-dark(#59636e,#9aa4af);--line:light-dark(#d0d7de,#3a414a);--panel:light-dark(#f4f6f8,#20242b);
--lo:light-dark(#fff,#16181d);--hi:light-dark(#56a8e8,#0f68b5);--mark:light-dark(#b34700,#ffa94d);
position:relative;box-sizing:border-box;max-width:72em;container-type:inline-size;
padding:.6em .8em;background:var(--bg);color:var(--fg);font:14px/1.55 system-ui,sans-serif}
[data-jp-theme-light=true] .ca,.vscode-light .ca,html[theme=light] .ca{color-scheme:light}
[data-jp-theme-light=false] .ca,.vscode-dark .ca,html[theme=dark] .ca{color-scheme:dark}
.ca h4{margin:0 0 .4em;font-size:1em;font-weight:600}.ca p{margin:.4em 0}.ca small,.ca .dim{color:var(--dim)}
.ca table{border-collapse:collapse;table-layout:auto;margin:.4em 0;color:inherit;font-size:inherit}
.ca tbody tr:nth-child(n){background:none}
.ca th,.ca td{padding:.1em .7em .1em 0;text-align:left;border:0;background:none;white-space:nowrap;vertical-align:top}
.ca th{color:var(--dim);font-weight:600}.ca td.n,.ca th.n{text-align:right;font-variant-numeric:tabular-nums}
.ca code,.ca pre,.ca .tok{font-family:ui-monospace,monospace;font-size:13px;background:none;color:inherit}
.ca code{padding:0}
.ca pre{white-space:pre-wrap;margin:.4em 0}
.ca .heat{background:color-mix(in oklab,var(--hi) calc(var(--v)*100%),var(--lo))}
.ca .tok{display:inline-block;white-space:pre;border:1px solid transparent;border-radius:2px}
.ca [tabindex]:hover,.ca [tabindex]:focus{outline:2px solid var(--mark);outline-offset:-1px}
.ca .tip{display:none;position:absolute;left:.8em;right:.8em;bottom:.6em;z-index:9;white-space:normal;
font:13px/1.5 system-ui,sans-serif}
.ca [tabindex]:hover>.tip,.ca [tabindex]:focus>.tip{display:block!important}
.ca :where(.styled[hidden]){display:block!important}.ca .bare{display:none}
.ca .tips{position:relative;padding-bottom:9.5em}
.ca .tips::after{content:attr(data-hint);position:absolute;left:.8em;right:.8em;bottom:.6em;height:8em;z-index:1;
padding:.3em .6em;box-sizing:border-box;border:1px solid var(--line);border-radius:4px;background:var(--panel);
color:var(--dim)}
.ca .tips .tip{height:8em;overflow:hidden;padding:.3em .6em;box-sizing:border-box;border:1px solid var(--mark);
border-radius:4px;background:var(--panel);color:var(--fg);left:.8em;right:.8em}
.ca .wide{overflow-x:auto;--edge:var(--bg) 1em,transparent;--more:var(--line),transparent;background:
linear-gradient(90deg,var(--edge)) 0/2em 100% no-repeat local,
linear-gradient(270deg,var(--edge)) 100%/2em 100% no-repeat local,
linear-gradient(90deg,var(--more)) 0/1em 100% no-repeat,linear-gradient(270deg,var(--more)) 100%/1em 100% no-repeat}
.ca .wide:hover:not(:focus){outline:0}.ca p,.ca h4,.ca dd{overflow-wrap:anywhere}
.ca .bar{display:inline-block;height:.8em;background:var(--hi);vertical-align:baseline}
.ca .wide{overflow-y:hidden;padding-bottom:2px}.ca .wide::-webkit-scrollbar{height:9px}
.ca .wide::-webkit-scrollbar-thumb{background:var(--dim);border-radius:5px}
"""

# Without its style sheet the text of a view remains, and this line.
_BARE = "<p class=bare><i>Colours and details show once this notebook is trusted, or run.</i></p>"


@checked_arguments
class View:
    """A picture of something: HTML in a notebook (`_repr_html_`), text in a terminal, a file with `save`.

    title: plain text. body: HTML that follows the rules of the house. text: makes the rich renderable of the terminal;
    called when it is needed, so that a notebook never loads rich. style, script: of this kind of view, added once.
    records: makes the rows of `to_pandas`, where the picture is one of a table.
    """

    def __init__(
        self,
        title: str,
        body: str,
        text: Callable[[], RenderableType],
        *,
        style: str = "",
        script: str = "",
        records: Callable[[], list[dict[str, Any]]] | None = None,
    ) -> None:
        self.title = title
        self._body, self._text, self._style, self._script, self._records = body, text, style, script, records

    def _repr_html_(self) -> str:
        script = f"<script>{self._script}</script>" if self._script else ""
        return f'<div class="ca"><style>{_packed(STYLE + self._style)}</style>{_BARE}{self._body}{script}</div>'

    def page(self) -> str:
        """A whole HTML document."""
        return document(self.title, self._repr_html_())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the page to `path` (UTF-8) and returns it, absolute. ca.Error where it cannot be written."""
        return write(path, self.page())

    def to_pandas(self) -> Any:
        """A DataFrame of what the picture shows. ca.Error where that is no table, or pandas is not installed."""
        if self._records is None:
            raise Error(f"The view '{self.title}' is a picture and has no rows; to_pandas is there for tables.")
        return frame(self._records())

    def __rich__(self) -> RenderableType:
        return self._text()

    def __repr__(self) -> str:
        return plain(self._text())


def plain(renderable: RenderableType, width: int = 120) -> str:
    """What rich would print, without colours, as one string."""
    from rich.console import Console

    out = io.StringIO()
    # Left to itself in a notebook, rich shows what it prints as an output of the cell, and the string stays empty.
    console = Console(
        file=out, width=width, color_system=None, force_terminal=False, force_jupyter=False, legacy_windows=False
    )
    console.print(renderable)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))


def document(title: str, body: str, style: str = "") -> str:
    """A whole HTML document. body: HTML of views; style: of what stands between them."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>:root{{color-scheme:light dark}}"
        f"body{{margin:1em;background:light-dark(#fff,#16181d)}}{style}</style><body>{body}</body></html>\n"
    )


def page_path(path: str | os.PathLike[str]) -> Path:
    """The absolute path; ca.Error for the suffix of another kind of file."""
    target = Path(path).expanduser().absolute()
    if target.suffix.lower() not in ("", ".html", ".htm"):
        raise Error(f"{target.name} cannot be written: what is saved is a web page; call it {target.stem}.html.")
    return target


def write(path: str | os.PathLike[str], page: str) -> Path:
    """Writes a page (UTF-8) and returns its absolute path. ca.Error where it cannot be written."""
    target = page_path(path)
    try:
        target.write_text(page, "utf-8")
    except OSError as err:
        raise Error(f"{target} cannot be written: {err.strerror or err}.") from None
    return target


def escape(text: Any) -> str:
    return html.escape(str(text), quote=True)


def visible(token: str | bytes) -> str:
    """A token as one visible line: line breaks, tabs, control characters and stray bytes are escaped, spaces stay."""
    text = token.decode("utf-8", "backslashreplace") if isinstance(token, bytes) else token
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def wide(inner: str, what: str) -> str:
    """A box that scrolls where `inner`, HTML, is wider than the page; Tab reaches it, arrow keys move it.

    what: its name for a screen reader.
    """
    return f'<div class=wide tabindex=0 role=region aria-label="{escape(what)}">{inner}</div>'


def share(value: float) -> str:
    """The style of a `heat` element: value in [0, 1]."""
    return f"--v:{min(max(float(value), 0.0), 1.0):.3g}"


def percent(p: float) -> str:
    """A probability for people: one decimal, or one digit where that would be nothing."""
    if p >= 0.001 or p == 0:
        return f"{100 * p:.1f} %"
    return f"{100 * p:.1g} %" if p >= 1e-6 else "< 0.0001 %"


def counted(n: int, what: str) -> str:
    """Things with their number, as "1 token" or "1,365 tokens"."""
    return f"{n:,} {what}" + ("" if n == 1 else "s")


def _packed(css: str) -> str:
    """On one line, and every rule of more weight than JupyterLab's for tables and code, which name two classes."""
    return re.sub(r"\.ca(?![\w-])", ".ca.ca.ca", css.replace("\n", ""))
