"""Bars on stderr: where somebody can watch them grow."""

from __future__ import annotations

import sys
import warnings
from typing import Any


def watched() -> bool:
    """Whether stderr is a terminal or a notebook's cell; in a file or a pipe every frame of a bar would stay."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    in_cell = hasattr(shell, "kernel")  # ipykernel may be imported in a process that is none
    return in_cell or (sys.stderr is not None and sys.stderr.isatty())


def bar(progress: bool, **settings: Any) -> Any:
    """A tqdm bar of these settings, or one that shows nothing, where it is not wanted or nobody watches."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notebook without ipywidgets gets the plain bar, and no warning
        from tqdm.auto import tqdm
    return tqdm(disable=not (progress and watched()), **settings)
