"""Sizes as users read them: one unit system everywhere."""

import pytest
from cutaway.numbers import sized


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1300, "1.3 KiB"),
        (102_348, "99.9 KiB"),
        (102_400, "100 KiB"),
        (2**20 - 1, "1.0 MiB"),
        (98_362_432, "93.8 MiB"),
        (253_000_000, "241 MiB"),
        (3 * 2**30, "3.0 GiB"),
        (5 * 2**50, "5,120 TiB"),
    ],
)
def test_sized(n, said):
    assert sized(n) == said


def test_a_small_trace_has_a_size_above_nothing(small_model):
    model = small_model("llama").model
    _, trace = model.run_with_cache([1, 2], "blocks.0.resid_post")
    assert repr(trace).splitlines()[0] == f"Trace of 1 array, {2 * model.config.d_model * 4} bytes"
