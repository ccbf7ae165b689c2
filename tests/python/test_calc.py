"""Sums of the course, digit by digit."""

import cutaway as ca
import pytest

# Speakers, the language's share of Common Crawl in per cent, and the published ratio.
PUBLISHED = [
    ("Punjabi", 113e6, 0.0061, 231.56),
    ("Swahili", 71e6, 0.0077, 115.26),
    ("Urdu", 231e6, 0.0274, 105.38),
    ("English", 1452e6, 45.88, 0.40),
]


@pytest.mark.parametrize(("language", "speakers", "percent", "ratio"), PUBLISHED)
def test_published_ratios(language, speakers, percent, ratio):
    assert round(ca.calc.representation(speakers, percent / 100), 2) == ratio


def test_a_language_with_its_due_share_has_1():
    assert ca.calc.representation(2e9, 0.25) == 1 and ca.calc.representation(0, 1) == 0


@pytest.mark.parametrize(
    ("speakers", "share", "said"),
    [
        (1e9, 45.88, "share is a part of the corpus, above 0 and at most 1, got 45.88; a percentage is divided by 100"),
        (1e9, 0, "share is a part of the corpus"),
        (-1, 0.1, "speakers is a number of people, 0 to 16,000,000,000, got -1"),
        (float("inf"), 0.1, "speakers is a number of people"),
        ("many", 0.1, "speakers must be a number, got the text 'many'"),
        (1e9, None, "share must be a number, got None"),
        (1e9, True, "share must be a number, got True"),
        (1e9, float("nan"), "share must be a number, got nan"),
    ],
)
def test_what_is_out_of_range(speakers, share, said):
    with pytest.raises(ca.ArgumentError, match=said):
        ca.calc.representation(speakers, share)
