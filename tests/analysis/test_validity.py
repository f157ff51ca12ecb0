"""The promise of every e-value, E <= 1 on average while nothing is wrong, by enumeration."""

import math
from itertools import product

import pytest

from rollout.analysis.bound import excess_bound
from rollout.analysis.excess import Margin, _steps
from rollout.analysis.limit import weigh_limit
from rollout.analysis.pairs import Flips, class_flips, disagreement
from rollout.analysis.report import Metric
from rollout.analysis.slowness import weigh_histograms
from rollout.analysis.split import Split
from tests.analysis.builders import score_shift


def _binomial(n: int, k: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.6])
@pytest.mark.parametrize(("canary", "baseline"), [(3, 9), (6, 6), (9, 2)])
def test_each_alternative_of_the_excess_is_fair(rate: float, canary: int, baseline: int) -> None:
    means = [0.0] * 14
    for x, y in product(range(canary + 1), range(baseline + 1)):
        chance = _binomial(canary, x, rate) * _binomial(baseline, y, rate)
        minute = Split(canary, x, baseline, y)
        steps = _steps(minute, Margin(), 0.005) if minute.tells else [0.0] * 14
        means = [mean + chance * math.exp(step) for mean, step in zip(means, steps, strict=True)]

    assert all(mean <= 1 + 1e-12 for mean in means)


@pytest.mark.parametrize("usual", [0.05, 0.3])
@pytest.mark.parametrize("worse", [1.0, 1.1, 1.25])
def test_a_canary_within_the_ratio_is_within_the_null(usual: float, worse: float) -> None:
    """The ratio is one of odds, which is one of rates where failures are rare."""
    odds = worse * usual / (1 - usual)
    means = [0.0] * 14
    for x, y in product(range(5), range(11)):
        chance = _binomial(4, x, odds / (1 + odds)) * _binomial(10, y, usual)
        minute = Split(4, x, 10, y)
        steps = _steps(minute, Margin(1.25), usual) if minute.tells else [0.0] * 14
        means = [mean + chance * math.exp(step) for mean, step in zip(means, steps, strict=True)]

    assert all(mean <= 1 + 1e-12 for mean in means)


@pytest.mark.parametrize(("limit", "rate"), [(0.1, 0.1), (0.1, 0.03), (0.5, 0.5)])
def test_the_limit_is_reached_by_chance_no_more_often_than_promised(
    limit: float, rate: float
) -> None:
    mean = 0.0
    for first, second in product(range(9), repeat=2):
        chance = _binomial(8, first, rate) * _binomial(8, second, rate)
        mean += chance * math.exp(weigh_limit([(8, first), (8, second)], limit, 1.0).now)

    assert mean <= 1 + 1e-12


def test_the_bound_of_the_excess_holds_19_times_in_20() -> None:
    canary, baseline, worse, usual = 40, 40, 0.25, 0.1
    broken = 0.0
    for x, y in product(range(canary + 1), range(baseline + 1)):
        chance = _binomial(canary, x, usual + worse) * _binomial(baseline, y, usual)
        broken += chance * (excess_bound([Split(canary, x, baseline, y)], 1.0) < worse)

    assert broken <= 0.05


def test_histograms_are_fair_to_an_equal_canary() -> None:
    shape, past = {10: 0.5, 14: 0.3, 20: 0.2}, {10: 50, 14: 30, 20: 20}
    mean = 0.0
    for answers in product(shape, repeat=5):
        chance = math.prod(shape[k] for k in answers)
        canary = {k: answers[:2].count(k) for k in shape}
        baseline = {k: answers[2:].count(k) for k in shape}
        trace = weigh_histograms([(canary, baseline)], [past], 1.0, Metric.LATENCY_P95)
        mean += chance * math.exp(trace.now)

    assert mean <= 1 + 1e-12


def test_disagreement_is_fair_at_its_tolerance() -> None:
    mean = sum(_binomial(12, x, 0.1) * math.exp(disagreement(12, x, 0.1)) for x in range(13))

    assert mean <= 1 + 1e-12


def test_flips_either_way_are_fair() -> None:
    mean = sum(_binomial(9, up, 0.5) * math.exp(class_flips(Flips(up, 9 - up))) for up in range(10))

    assert mean == pytest.approx(1)


def test_scores_that_move_within_the_tolerance_are_fair() -> None:
    mean = sum(math.exp(score_shift(signs, 1.0)) for signs in product((-1.0, 1.0), repeat=6)) / 2**6

    assert mean == pytest.approx(1)
