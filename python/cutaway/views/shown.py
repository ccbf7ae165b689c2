"""What every result that shows itself can do: a picture in a notebook, a page in a file, rows for pandas."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import checked_arguments
from ..errors import Error

if TYPE_CHECKING:
    from .page import View


@checked_arguments
class Shown:
    """A result with a picture, `view()`, and with `records()`. Its text for the terminal is its `__repr__`."""

    def view(self) -> View:
        """The picture."""
        raise NotImplementedError

    def records(self) -> list[dict[str, Any]]:
        """Plain values, one dict per row: what `to_pandas` holds."""
        raise NotImplementedError

    def to_pandas(self) -> Any:
        """The records as a pandas DataFrame. ca.Error where pandas is not installed."""
        return frame(self.records())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the picture as a page that stands alone (HTML, UTF-8) and returns its absolute path.

        ca.Error where it cannot be written.
        """
        return self.view().save(path)

    def _repr_html_(self) -> str:
        return self.view()._repr_html_()


def frame(records: list[dict[str, Any]]) -> Any:
    """A DataFrame of records; an Error that says what to install where pandas is absent."""
    try:
        import pandas
    except ImportError:
        raise Error(
            "to_pandas needs pandas, which is not installed here: pip install pandas, or pip install '.[viz]' in the "
            "folder of cutaway"
        ) from None
    return pandas.DataFrame(records)
