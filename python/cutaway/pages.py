"""Several views on one page: what `cutaway explain --html` and the demo write."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import Error
from .views.page import STYLE, escape


def page(title: str, parts: Iterable[tuple[str, Any]]) -> str:
    """A whole HTML document. parts: (heading, anything with `_repr_html_`); an empty heading is left out."""
    body = []
    for heading, part in parts:
        if heading:
            body.append(f'<div class="ca"><h3>{escape(heading)}</h3></div>')
        body.append(part._repr_html_())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>:root{{color-scheme:light dark}}"
        f"body{{margin:1em;background:light-dark(#fff,#16181d)}}{STYLE}.ca h3{{margin:1em 0 0}}</style><body>"
        f"{''.join(body)}</body></html>\n"
    )


def save_page(path: str | os.PathLike[str], title: str, parts: Iterable[tuple[str, Any]]) -> Path:
    """Writes `page` to `path` (UTF-8) and returns it, absolute. ca.Error where it cannot be written."""
    target = Path(path).absolute()
    try:
        target.write_text(page(title, parts), "utf-8")
    except OSError as err:
        raise Error(f"{target} cannot be written: {err.strerror or err}.") from None
    return target
