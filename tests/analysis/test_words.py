"""Numbers as people write them."""

import math

import pytest

from rollout.analysis.words import count, figures, odds, percent, wanting


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0"), (19.02, "19"), (0.526, "0.53"), (1989.7, "2000"), (0.00004, "0.00004"), (1, "1")],
)
def test_two_figures(number: float, told: str) -> None:
    assert figures(number) == told


@pytest.mark.parametrize(
    ("ln_e", "told"),
    [
        (math.log(1989.7), "1990 : 1"),
        (0.0, "1 : 1"),
        (-math.log(50), "1 : 50"),
        (-1e6, "1 : more than a million"),
        (99.0, "more than a million : 1"),
    ],
)
def test_odds(ln_e: float, told: str) -> None:
    assert odds(ln_e) == told


def test_small_counts_are_words() -> None:
    assert [count(n, "minute") for n in (1, 4, 31)] == ["one minute", "four minutes", "31 minutes"]
    assert percent(0.1) == "10 %"
    assert wanting(31, 200, 3) == "31 of 200 requests, about 17 minutes left"
    assert wanting(0, 200, 3) == "0 of 200 requests"
