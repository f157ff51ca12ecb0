"""How fast a canary may grow among the shares that are written, and what keeps it back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.analysis.pace import (
    AFTER_COPIES_MAX,
    GROWTH_MAX,
    HALF,
    NEARLY_ALL,
    Budget,
    Pace,
    Rule,
    Seen,
    allowed,
    next_step,
)
from rollout.analysis.threshold import WARNING

AT_5 = Seen(5, 3000, 2, excess_bound=0.01, usual_rate=0.004, minutes_read=1)
AT_50 = replace(AT_5, share=50)
AT_95 = replace(AT_5, share=95, excess_bound=1.0)
COPIED = replace(AT_5, share=0)
_UNPROVEN = "it may still be 1 points worse, and above 50 % no more than 0.4 may be"
_UNREAD = "one whole minute of the present share must be read first"


@pytest.mark.parametrize(
    ("seen", "ahead", "pace"),
    [
        (AT_5, (10,), Pace(1)),
        (AT_5, (10, 25), Pace(2)),
        (
            AT_5,
            (10, 25, 50),
            Pace(2, Rule.GROWTH, "50 % would be more than 5 times the 5 % of now"),
        ),
        (AT_5, (10, 26), Pace(1, Rule.GROWTH, "26 % would be more than 5 times the 5 % of now")),
        (AT_5, (50,), Pace(1)),
        (AT_5, (51,), Pace(0, Rule.UNPROVEN, _UNPROVEN)),
        (AT_5, (50, 95), Pace(1, Rule.UNPROVEN, _UNPROVEN)),
        (replace(AT_5, minutes_read=0.9), (10,), Pace(0, Rule.UNREAD, _UNREAD)),
        (
            replace(AT_5, excess_bound=0.1),
            (10, 15),
            Pace(1, Rule.BUDGET, "the budget of failed requests allows 13 %, and 15 % is next"),
        ),
        (
            replace(AT_5, ln_e=2.0),
            (10,),
            Pace(0, Rule.WARNING, "the evidence is a warning: 7.39 : 1"),
        ),
        (AT_50, (95,), Pace(0, Rule.UNPROVEN, _UNPROVEN)),
        (replace(AT_50, excess_bound=0.0035), (75, 95), Pace(2)),
        (
            replace(AT_5, share=20, excess_bound=0.001),
            (50, 95),
            Pace(1, Rule.GROWTH, "nothing beyond 50 % is skipped to from below it"),
        ),
        (AT_50, (100,), Pace(0, Rule.UNPROVEN, _UNPROVEN)),
        (
            AT_95,
            (100,),
            Pace(0, Rule.UNREAD, "two whole minutes of the present share must be read first"),
        ),
        (replace(AT_95, minutes_read=2), (100,), Pace(1)),
        (COPIED, (1, 5, 25), Pace(3)),
        (COPIED, (5, 50), Pace(1, Rule.GROWTH, "after copies no more than 25 % is skipped to")),
    ],
)
def test_how_far_it_goes_and_what_keeps_it_from_more(
    seen: Seen, ahead: tuple[int, ...], pace: Pace
) -> None:
    assert next_step(seen, ahead) == pace


def test_a_larger_budget_never_slows() -> None:
    seen = replace(AT_5, excess_bound=0.2)

    assert allowed(seen, Budget(400)) >= allowed(seen)


# -- whatever is seen, and whatever is written -----------------------------------------------------

ANYTHING = st.builds(
    Seen,
    share=st.integers(0, 99),
    requests_per_minute=st.floats(0, 1e6),
    lag_minutes=st.integers(0, 30),
    excess_bound=st.floats(0, 1),
    ln_e=st.floats(-50, 50),
    usual_rate=st.floats(0, 1),
    minutes_read=st.floats(0, 100),
)
NEARLY_GOOD = st.builds(
    Seen,
    share=st.integers(0, 99),
    requests_per_minute=st.floats(0, 1e4),
    lag_minutes=st.integers(0, 5),
    excess_bound=st.sampled_from([0.0, 0.001, 0.004, 0.01, 0.02]),
    ln_e=st.sampled_from([-1.0, 0.0, 1.5, WARNING]),
    usual_rate=st.sampled_from([0.0, 0.004, 0.5]),
    minutes_read=st.sampled_from([0.0, 1.0, 2.0, 2.0, 2.0]),
)
SEEN = st.one_of(ANYTHING, NEARLY_GOOD)


@st.composite
def written(draw: st.DrawFn) -> tuple[Seen, list[int]]:
    """What is seen at a share, and larger ones that a policy has written next."""
    seen = draw(SEEN)
    shares = draw(st.sets(st.integers(seen.share + 1, 100), min_size=1, max_size=8))
    return seen, sorted(shares)


def _taken(case: tuple[Seen, list[int]]) -> tuple[Seen, list[int], Pace]:
    seen, ahead = case
    return seen, ahead, next_step(seen, ahead)


@given(written())
def test_weights_are_passed_over_to_at_most_five_times_the_present_one(
    case: tuple[Seen, list[int]],
) -> None:
    seen, ahead, pace = _taken(case)

    if pace.steps > 1:
        assert ahead[pace.steps - 1] <= (GROWTH_MAX * seen.share or AFTER_COPIES_MAX)


@given(written())
def test_nothing_above_half_is_given_without_a_low_bound(case: tuple[Seen, list[int]]) -> None:
    seen, ahead, pace = _taken(case)

    if pace.steps and ahead[pace.steps - 1] > HALF and seen.share < NEARLY_ALL:
        assert seen.excess_bound <= max(0.001, min(seen.usual_rate, 0.01))
        assert pace.steps == 1 or seen.share >= HALF


@given(written())
def test_nothing_is_given_on_a_warning_or_before_the_shares_own_minutes_are_read(
    case: tuple[Seen, list[int]],
) -> None:
    seen, _, pace = _taken(case)

    if seen.ln_e >= WARNING or seen.minutes_read < (2 if seen.share >= NEARLY_ALL else 1):
        assert pace.steps == 0


@given(written())
def test_what_is_given_is_within_the_budget(case: tuple[Seen, list[int]]) -> None:
    seen, ahead, pace = _taken(case)

    if pace.steps and seen.share < NEARLY_ALL:
        until_noticed = ahead[pace.steps - 1] / 100 * (seen.lag_minutes + 2)
        failures = seen.requests_per_minute * until_noticed * seen.excess_bound
        assert failures <= Budget().at(seen.requests_per_minute) * (1 + 1e-9)


@given(written())
def test_what_keeps_it_back_is_told_in_words(case: tuple[Seen, list[int]]) -> None:
    _, ahead, pace = _taken(case)

    assert 0 <= pace.steps <= len(ahead)
    assert bool(pace.because) == (pace.rule is not None) == (pace.steps < len(ahead))


@given(written(), st.floats(0, 1))
def test_knowing_more_never_slows(case: tuple[Seen, list[int]], part: float) -> None:
    seen, ahead, pace = _taken(case)

    surer = next_step(replace(seen, excess_bound=part * seen.excess_bound), ahead)

    assert surer.steps >= pace.steps
