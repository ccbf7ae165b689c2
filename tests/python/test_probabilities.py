"""Softmax, entropy, ranks and best tokens against their definitions in longer arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from cutaway import probabilities
from cutaway.reference import softmax as twin

ROWS = [
    np.zeros(1, np.float32),
    np.asarray([1.0, 2.0], np.float64),
    np.asarray([0, -np.inf, 0, 30], np.float16),
    np.asarray([2400, 3000, 2999, 3000], np.float32),
    np.random.default_rng(5).normal(0, 8, 111).astype(np.float32),
]


@pytest.mark.parametrize("row", ROWS, ids=len)
def test_one_row(row):
    exact = [math.exp(x - max(row.tolist())) for x in row.tolist()]
    total = math.fsum(exact)
    probs = [x / total for x in exact]
    truth = -math.fsum(p * math.log(p) for p in probs if p > 0)
    got, entropy = probabilities.softmax_and_entropy(row)
    assert got.dtype == np.float64 and entropy == pytest.approx(truth, rel=1e-12, abs=1e-15)
    np.testing.assert_allclose(got, probs, rtol=1e-14)
    np.testing.assert_array_equal(probabilities.softmax(row), got)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(probabilities.log_softmax(row), np.log(probs), rtol=1e-12, atol=1e-14)
    assert probabilities.entropy(probabilities.log_softmax(row)) == pytest.approx(truth, rel=1e-12, abs=1e-15)
    order = sorted(range(row.size), key=lambda id: (-Fraction(row[id].item()) if row[id] > -np.inf else math.inf, id))
    assert [probabilities.rank(row, id) for id in order] == [*range(1, row.size + 1)]
    for k in (0, 1, 3, row.size, row.size + 5):
        assert probabilities.top(row, k).tolist() == order[:k]


def test_many_rows_are_each_their_own():
    rows = np.random.default_rng(6).normal(0, 3, (3, 7)).astype(np.float32)
    np.testing.assert_allclose(probabilities.softmax(rows), twin.softmax(rows.astype(np.float64)), rtol=1e-14)
    np.testing.assert_allclose(probabilities.log_softmax(rows), twin.log_softmax(rows), rtol=1e-14)
    np.testing.assert_array_equal(probabilities.log_softmax(rows)[1], probabilities.log_softmax(rows[1]))
    assert probabilities.entropy(probabilities.log_softmax(rows)).shape == (3,)


def test_an_entropy_is_never_negative():
    for row in (np.float32([500, 0]), np.float32([1e-3, -90]), np.float32([0, -36.7])):
        assert probabilities.softmax_and_entropy(row)[1] >= 0
        assert probabilities.entropy(probabilities.log_softmax(row)) >= 0
