"""Named values: every one is kept, and any one can be replaced on its way."""

from collections.abc import Callable, Mapping

import numpy as np

Edits = Mapping[str, Callable[[np.ndarray], np.ndarray]]
Weights = Mapping[str, np.ndarray]


class Taps:
    """`x = taps("blocks.0.resid_pre", x)` records x under its name, after the edit of that name if there is one."""

    def __init__(self, edits: Edits | None = None) -> None:
        self.edits = dict(edits or {})
        self.values: dict[str, np.ndarray] = {}

    def __call__(self, name: str, value: np.ndarray) -> np.ndarray:
        if name in self.edits:
            value = self.edits[name](value)
        self.values[name] = value
        return value

    def close(self) -> dict[str, np.ndarray]:
        """The recorded values; an edit whose name never came by is an error, not a silent no-op."""
        unknown = sorted(set(self.edits) - set(self.values))
        if unknown:
            raise KeyError(f"no activation is called {unknown[0]!r}; there are {', '.join(self.values)}")
        return self.values
