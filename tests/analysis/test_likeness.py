"""What a history is worth beside the trial's own minutes, and when its word no longer counts."""

import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.analysis.dispersion import Past, Scatter, learn
from rollout.analysis.likeness import _foresaw, _mean, blended, worth
from rollout.analysis.split import Split

SIX = 6


def test_a_history_is_worth_its_minutes_where_it_scatters_evenly() -> None:
    assert worth([1.0, -1.0] * 60, 1000) == 120


def test_a_history_of_a_few_large_errors_is_worth_little() -> None:
    """Six errors of 120: the fourth moment is 20 squared variances."""
    assert worth([5.0, *[0.0] * 19] * 6, 1000) == pytest.approx(2 * 120 / (20 - 1))
    assert worth([], 0) == worth([0.0] * 9, 0) == 0


def test_a_history_is_worth_no_more_than_the_clusters_it_has() -> None:
    assert worth([1.0, -1.0] * 60, 9.5) == 9.5

    calm = learn([(3000, 3)] * 120)
    clustered = learn([(300, bad) for bad in (0, 0, 9, 0, 0, 0, 6, 0, 0, 0)] * 12)

    assert calm.minutes == 0  # nothing scatters: nothing was measured
    assert clustered.minutes == pytest.approx(180 / clustered.measured)


@pytest.mark.parametrize("minutes", [0.0, 3.0, 6.0])
def test_a_history_that_is_worth_no_more_counts_for_six_minutes(minutes: float) -> None:
    assert blended(3.0, minutes, 1.8, 3) == pytest.approx((6 * 3 + 1.8) / (6 + 3))


def test_a_trial_like_its_history_is_taken_to_scatter_as_the_history_did() -> None:
    """Ten minutes that by chance scatter half as much again."""
    known, unknown = blended(1.0, 120, 15, 10), blended(1.0, 0, 15, 10)

    assert unknown == pytest.approx(21 / 16)
    assert known < 1 + 0.6 * (unknown - 1)


def test_a_trial_unlike_its_history_is_taken_for_what_it_is() -> None:
    """Ten minutes that scatter five times as much."""
    known, unknown = blended(1.0, 120, 50, 10), blended(1.0, 0, 50, 10)

    assert known > 0.95 * unknown


@pytest.mark.parametrize("minutes", [6.0, 40.0, 120.0])
@pytest.mark.parametrize(("surprise", "degrees"), [(3.0, 2), (12.0, 8), (80.0, 15)])
def test_what_was_foreseen_is_the_integral_over_all_dispersions(
    minutes: float, surprise: float, degrees: int
) -> None:
    def integral(weight: float, prior: float = 1.4) -> float:
        """Of the trial's chi-square times the history's inverse chi-square, in ln phi."""
        steps = np.linspace(-6, 9, 60_001)
        known = weight / 2 * np.log(weight * prior / 2) - math.lgamma(weight / 2)
        held = known - weight / 2 * steps - weight * prior / 2 * np.exp(-steps)
        seen = -degrees / 2 * steps - surprise / 2 * np.exp(-steps)
        return float(np.log(np.trapezoid(np.exp(held + seen), steps)))

    wanted = integral(minutes) - integral(SIX)

    found = _foresaw(1.4, minutes, surprise, degrees) - _foresaw(1.4, SIX, surprise, degrees)
    assert found == pytest.approx(wanted, abs=1e-6)


priors, worths = st.floats(1, 15), st.floats(0, 200)
surprises, degrees_of = st.floats(0, 3000), st.integers(0, 120)


@given(priors, worths, surprises, degrees_of)
def test_it_lies_between_what_either_history_would_say(
    prior: float, minutes: float, surprise: float, degrees: int
) -> None:
    unsure = _mean(prior, SIX, surprise, degrees)
    alike = _mean(prior, max(minutes, SIX), surprise, degrees)

    found = blended(prior, minutes, surprise, degrees)

    assert max(1.0, min(unsure, alike) - 1e-9) <= found <= max(unsure, alike) + 1e-9


@given(priors, worths, surprises, degrees_of, st.floats(0, 100))
def test_more_surprise_is_never_taken_for_less_scatter(
    prior: float, minutes: float, surprise: float, degrees: int, more: float
) -> None:
    less = blended(prior, minutes, surprise, degrees)

    assert blended(prior, minutes, surprise + more, degrees) >= less - 1e-9


def test_a_long_quiet_history_leaves_less_to_chance() -> None:
    """Independent failures: the dispersion is 1, and is found nearer to it."""
    random = np.random.default_rng(5)
    with_history, without = list[float](), list[float]()
    for _ in range(60):
        past = learn([(3000, int(random.poisson(12))) for _ in range(120)])
        trial = [
            Split(150, int(random.poisson(0.6)), 2850, int(random.poisson(11.4))) for _ in range(12)
        ]
        with_history.append(Scatter(trial, past).phi(12))
        without.append(Scatter(trial, Past(past.rate)).phi(12))

    assert fmean(with_history) - 1 < 0.8 * (fmean(without) - 1)
