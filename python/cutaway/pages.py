"""Several views on one page: what `cutaway explain --html` and the demo write."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import Error
from .views.page import STYLE, document, escape, write


def page(title: str, parts: Iterable[tuple[str, Any]]) -> str:
    """A whole HTML document. parts: (heading, anything with `_repr_html_`); an empty heading is left out."""
    body = []
    for heading, part in parts:
        if heading:
            body.append(f'<div class="ca"><h3>{escape(heading)}</h3></div>')
        body.append(part._repr_html_())
    return document(title, "".join(body), f"{STYLE}.ca h3{{margin:1em 0 0}}")


def save_page(path: str | os.PathLike[str], title: str, parts: Iterable[tuple[str, Any]]) -> Path:
    """Writes `page` to `path` (UTF-8) and returns it, absolute. ca.Error where it cannot be written."""
    return write(path, page(title, parts))


def writable(path: str | os.PathLike[str]) -> None:
    """ca.Error where a page could not be written to `path`: asked before the work whose result goes there."""
    target = Path(path).expanduser().absolute()
    if not target.parent.is_dir():
        raise Error(f"{target} cannot be written: there is no folder {target.parent}.")
    if target.is_dir():
        raise Error(f"{target} cannot be written: it is a folder; give the name of a file in it.")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise Error(f"{target} cannot be written: permission denied.")
