"""Every activation of a prompt, kept."""

from collections.abc import Iterator

from cutaway.bench import work

from ..files import TITLES, model_file
from ..registry import Line, row
from ..run import Run
from ..traces import EVERYTHING, compare

TOKENS = 512


@row("Tracing everything of 512 tokens", 10)
def trace_all(run: Run) -> Iterator[Line]:
    """All names on both sides. The bytes differ where one side keeps under two names what the other shares."""
    path = model_file("smollm2")
    sides = {
        "cutaway, int8": run.cutaway(path),
        "cutaway, float32": run.cutaway(path, compute="float32"),
        "TransformerLens float32": run.lens(path),
    }
    reach = {"cutaway, int8": {"TransformerLens float32": 4.0}}
    case = f"{TITLES['smollm2']}, every activation of {TOKENS} tokens"
    yield compare(run, case, sides, EVERYTHING, work.plain_ids(TOKENS), reach)
