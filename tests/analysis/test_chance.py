"""The chance to notice: a motion that may arrive at any time, with what the judge's bets cost."""

import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.analysis.chance import FEW, Asked, Course, Rates, _minutes, chance, reaches
from rollout.analysis.dispersion import Past
from rollout.analysis.excess import Margin, foreseen, weigh
from rollout.analysis.split import Split
from rollout.analysis.threshold import LONG, SHORT

COURSE = (Course(6, 120, 2280), Course(6, 240, 2160))
WORSE = Rates(0.012, 0.004)
NONE = Asked()


def test_without_drift_it_is_twice_as_likely_on_the_way_as_at_the_end() -> None:
    at_end = NormalDist().cdf(-1.5)

    assert reaches(3.0, 0.0, 4.0) == pytest.approx(2 * at_end)


def test_what_is_there_already_is_reached() -> None:
    assert reaches(0.0, 1.0, 1.0) == reaches(-2.0, 1.0, 1.0) == 1


def test_what_is_far_away_is_not() -> None:
    assert reaches(500.0, 1.0, 2.0) == 0


@given(st.floats(0.01, 60), st.floats(0.01, 60), st.floats(0.01, 120), st.floats(0, 20))
def test_the_farther_the_less_likely_and_never_less_than_at_the_end(
    level: float, mean: float, variance: float, more: float
) -> None:
    found = reaches(level, mean, variance)

    assert reaches(level + more, mean, variance) <= found + 1e-9
    assert NormalDist().cdf((mean - level) / math.sqrt(variance)) <= found + 1e-9 <= 1 + 1e-9


def test_what_is_foreseen_of_given_minutes_is_what_the_judge_makes_of_them() -> None:
    one, two = Split(120, 1, 2280, 9), Split(240, 1, 2160, 9)
    margin, past = Margin(1.25, 0.0005), Past(0.004)

    found = foreseen([(6, ((1.0, one),)), (6, ((1.0, two),))], margin, 0.004, 1.0, 3)

    trace = weigh([one] * 6 + [two] * 6, past, margin, (6, None, None))
    assert trace.phi[-1] == 1
    assert found == pytest.approx(trace.now)


@pytest.mark.parametrize("failing", [0.0, 0.3, 5.0, FEW, FEW + 1])
def test_a_minute_of_few_failures_may_count_any_number_and_one_of_many_their_mean(
    failing: float,
) -> None:
    rate = failing / 2000
    may_count = [*_minutes(Course(1, 500, 1500), Rates(rate, rate))]

    likely = sum(part for part, _ in may_count)
    none = math.exp(-failing) if failing <= FEW else 0.0
    assert likely == pytest.approx(1 - none)
    for bad in (1, 3):
        mean = sum(part * minute[bad] for part, minute in may_count)
        assert mean == pytest.approx(failing * (0.25 if bad == 1 else 0.75))


@pytest.mark.parametrize(
    ("course", "rates", "asked"),
    [
        (COURSE[:1], WORSE, NONE),
        (COURSE, Rates(0.009, 0.004), NONE),
        (COURSE, WORSE._replace(phi=4.0), NONE),
        (COURSE, WORSE, Asked(Margin(1.25))),
        (COURSE, WORSE, Asked(stake=0.5)),
        (COURSE, WORSE, Asked(strict=True)),
        (COURSE, WORSE, Asked(planned_minutes=120)),
    ],
)
def test_less_time_a_smaller_effect_or_more_that_is_asked_for_make_it_less_likely(
    course: tuple[Course, ...], rates: Rates, asked: Asked
) -> None:
    assert chance(course, rates, asked) < chance(COURSE, WORSE, NONE)


def test_a_canary_within_the_margin_is_not_looked_for() -> None:
    assert chance(COURSE, Rates(0.0049, 0.004), Asked(Margin(1.25))) == 0
    assert chance((), WORSE, NONE) == 0


def test_what_is_asked_for_is_what_a_rollout_asks_for() -> None:
    assert Asked(planned_minutes=20).enough(1.0) == pytest.approx(SHORT)
    assert Asked(strict=True, stake=0.5).enough(1.0) == pytest.approx(LONG + math.log(2))
