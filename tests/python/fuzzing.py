"""How long the tests of tokenizers look: CUTAWAY_TEST_PROFILE=fuzz, as `make fuzz` sets it, for a hundred times as long."""

import os

from hypothesis import settings

FUZZ = os.environ.get("CUTAWAY_TEST_PROFILE") == "fuzz"
settings.register_profile("test", max_examples=500, deadline=None)
settings.register_profile("fuzz", max_examples=50_000, deadline=None)
PROFILE = settings.get_profile("fuzz" if FUZZ else "test")


def amount(test: int, fuzz: int) -> int:
    return fuzz if FUZZ else test
