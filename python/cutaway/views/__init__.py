"""What results look like: plain text in a terminal, self-contained HTML in a notebook. `import cutaway.views` is
instant; a view is imported when it is first used."""

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .dialogue import chat
    from .encoding import pieces
    from .generated import tokens
    from .heads import attention
    from .layers import lens
    from .losses import loss
    from .page import View
    from .sampling import next_token

# Public name -> the module that holds it. A module is never named like a view: importing it would hide the view.
_LAZY = {
    "View": "page",
    "attention": "heads",
    "chat": "dialogue",
    "lens": "layers",
    "loss": "losses",
    "next_token": "sampling",
    "pieces": "encoding",
    "tokens": "generated",
}

__all__ = ["View", "attention", "chat", "lens", "loss", "next_token", "pieces", "tokens"]
__getattr__, __dir__ = lazy(__name__, _LAZY)
