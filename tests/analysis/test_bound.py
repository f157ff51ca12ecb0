"""Bounds of how much worse the canary may still be."""

import pytest

from rollout.analysis.bound import excess_bound, ratio_interval
from rollout.analysis.split import Split


def test_nothing_known_is_no_bound() -> None:
    assert excess_bound([], 1.0) == 1
    assert excess_bound([Split(0, 0, 100, 1), Split(100, 0, 0, 0)], 1.0) == 1
    assert ratio_interval([], 1.0) == (0.0, None)


def test_no_failures_at_all_are_the_rule_of_three() -> None:
    for requests in (100, 1000, 5000):
        bound = excess_bound([Split(requests, 0, 20 * requests, 0)], 1.0)

        assert 3 / requests < bound < 10 / requests


def test_more_good_requests_never_loosen_the_bound() -> None:
    bounds = [excess_bound([Split(100, 0, 900, 5)] * minutes, 1.0) for minutes in range(1, 40)]

    assert bounds == sorted(bounds, reverse=True)


def test_scatter_loosens_the_bound() -> None:
    table = [Split(500, 2, 9500, 40)] * 5

    assert excess_bound(table, 4.0) > excess_bound(table, 1.0)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("scale", [1, 10, 100])
def test_the_interval_narrows_around_the_ratio(ratio: float, scale: int) -> None:
    minute = Split(1000 * scale, round(20 * scale * ratio), 1000 * scale, 20 * scale)

    low, high = ratio_interval([minute], 1.0)

    assert high is not None
    assert low < ratio < high
    assert high / low < 1 + 60 / (20 * scale * min(1, ratio)) ** 0.5


def test_no_failures_of_one_arm_leave_one_end_open() -> None:
    assert ratio_interval([Split(100, 0, 100, 9)], 1.0)[0] == 0
    assert ratio_interval([Split(100, 9, 100, 0)], 1.0)[1] is None
