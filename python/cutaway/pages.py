"""Several views on one page: what `cutaway explain --html` and the demo write."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import Error
from .views.chips import shorten
from .views.page import STYLE, document, escape, page_path, write

_FACT = 600  # characters of one: a prompt may be a book
_STYLE = """
.ca h2{margin:0 0 .3em;font-size:1.4em}.ca h3{margin:1em 0 0}
.ca dl{display:grid;grid-template-columns:max-content 1fr;gap:.1em .8em;margin:0}.ca dt{color:var(--dim)}
.ca dd{margin:0;overflow-wrap:anywhere}
"""


def page(title: str, about: Mapping[str, str], parts: Iterable[tuple[str, Any]]) -> str:
    """A whole HTML document that says what it shows.

    about: what a reader must know first, such as {"model": ..., "prompt": ...}. parts: (heading, anything with
    `_repr_html_`); an empty heading is left out.
    """
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(shorten(fact, _FACT))}</dd>" for name, fact in about.items())
    body = [f'<div class="ca"><h2>{escape(title)}</h2><dl>{facts}</dl></div>']
    for heading, part in parts:
        if heading:
            body.append(f'<div class="ca"><h3>{escape(heading)}</h3></div>')
        body.append(part._repr_html_())
    return document(title, "".join(body), f"{STYLE}{_STYLE}")


def save_page(
    path: str | os.PathLike[str], title: str, about: Mapping[str, str], parts: Iterable[tuple[str, Any]]
) -> Path:
    """Writes `page` to `path` (UTF-8) and returns it, absolute. ca.Error where it cannot be written."""
    return write(path, page(title, about, parts))


def model_line(model: Any) -> str:
    """What a page says of a model: its file, its kind, and how it ran."""
    info = model.info()
    return f"{Path(info['path']).name} ({info['arch']}, {model.config.n_layers} layers, computed as {info['compute']})"


def writable(path: str | os.PathLike[str]) -> None:
    """ca.Error where a page could not be written to `path`: asked before the work whose result goes there."""
    target = page_path(path)
    if not target.parent.is_dir():
        raise Error(f"{target} cannot be written: there is no folder {target.parent}.")
    if target.is_dir():
        raise Error(f"{target} cannot be written: it is a folder; give the name of a file in it.")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise Error(f"{target} cannot be written: permission denied.")
