"""The command `cutaway`, also as `python -m cutaway`: takes Ctrl-C into its hands before anything large is imported."""

import os
import signal
from types import FrameType


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(130)  # an exception in the middle of an import would come out as a traceback, or as another exception


def main() -> int:
    """Runs the command line of this process; returns the exit status."""
    own = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else the parent wants it ignored
    if own:
        signal.signal(signal.SIGINT, _leave)
    from .cli import main as run

    try:
        if own:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return run()
    except KeyboardInterrupt:  # before `run` could look after it
        return 130
    finally:
        if own:
            signal.signal(signal.SIGINT, _leave)  # what is left is the interpreter's own exit


if __name__ == "__main__":
    raise SystemExit(main())
