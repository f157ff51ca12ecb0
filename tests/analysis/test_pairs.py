"""Mirrored pairs and drift."""

import math
from random import Random

import pytest

from rollout.analysis.pairs import Flips, class_flips, disagreement, drift
from tests.analysis.builders import score_shift

ENOUGH = math.log(100)


def test_pairs_that_agree_speak_for_the_canary() -> None:
    assert disagreement(500, 2, 0.01) < 0
    assert disagreement(0, 0, 0.01) == 0


def test_pairs_that_differ_too_often_are_noticed_soon() -> None:
    assert disagreement(200, 10, 0.01) > ENOUGH


@pytest.mark.parametrize("wrong", [(5, 6, 0.1), (5, -1, 0.1), (5, 1, 0.0), (5, 1, 1.0)])
def test_pairs_that_cannot_be_are_refused(wrong: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="not possible"):
        disagreement(*wrong)


@pytest.mark.parametrize("sign", [1, -1])
def test_scores_that_move_either_way_are_noticed(sign: int) -> None:
    random = Random(7)
    moved = [sign * (0.02 + random.gauss(0, 0.05)) for _ in range(300)]
    still = [random.gauss(0, 0.05) for _ in range(300)]

    assert score_shift(moved, 0.1) > ENOUGH
    assert score_shift(still, 0.1) < ENOUGH
    assert score_shift(moved, 0.1, tolerance=0.03) < ENOUGH


def test_wild_scores_are_clipped_and_broken_ones_refused() -> None:
    assert score_shift([1e9, -1e9], 0.1) == score_shift([0.1, -0.1], 0.1)
    for broken in ([math.nan], [math.inf]):
        with pytest.raises(ValueError, match="must be numbers"):
            score_shift(broken, 0.1)


def test_flips_of_one_direction_are_noticed() -> None:
    assert class_flips(Flips(20, 1)) == pytest.approx(class_flips(Flips(1, 20)))
    assert class_flips(Flips(20, 1)) > ENOUGH
    assert class_flips(Flips(20, 20)) < 0
    with pytest.raises(ValueError, match="counted from 0"):
        Flips(-1, 0)


def test_histograms_that_drift_either_way_are_noticed() -> None:
    usual = {0.2: 400, 0.5: 400, 0.8: 200}
    high, low = {0.2: 200, 0.5: 400, 0.8: 400}, {0.2: 600, 0.5: 300, 0.8: 100}

    assert drift(high, usual, usual) > ENOUGH
    assert drift(low, usual, usual) > ENOUGH
    assert drift(usual, usual, usual) < ENOUGH
    assert drift({}, usual, usual) == drift(high, usual, {}) == 0
    with pytest.raises(ValueError, match="counts from 0"):
        drift({0.5: -1}, usual, usual)
