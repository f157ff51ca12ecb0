"""What is wrong with the samples has a defined answer, and never that of a good canary."""

import math

import pytest

from rollout.analysis.report import Verdict
from rollout.analysis.samples import Counts, Latency, Minute
from tests.analysis.builders import MINUTE, NOON, VECTOR_A, counts, found, minutes

STEADY = ((100, 0, 900, 2),) * 10


@pytest.mark.parametrize("count", [-1, math.nan, math.inf])
def test_a_count_that_is_none_is_refused(count: float) -> None:
    with pytest.raises(ValueError, match="answers under"):
        Counts({200: count})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="answers under"):
        Counts({200: 1}, bins={3: count})  # type: ignore[dict-item]


@pytest.mark.parametrize("ms", [-1.0, math.nan, math.inf])
def test_a_latency_that_is_none_is_refused(ms: float) -> None:
    with pytest.raises(ValueError, match="milliseconds"):
        Latency(p95=ms)


def test_counts_that_shrink_are_a_revision_and_the_last_one_counts() -> None:
    first = minutes(VECTOR_A)
    fewer = tuple(one._replace(canary=counts(8)) for one in first)

    assert found((*first, *fewer)) == found(fewer)
    assert found(first).verdict is Verdict.FAIL
    assert found((*first, *fewer)).verdict is not Verdict.FAIL


def test_minutes_in_any_order_and_twice_say_the_same() -> None:
    trial = minutes(VECTOR_A)

    assert found((*reversed(trial), *trial)) == found(trial)


def test_a_canary_without_a_baseline_is_not_measured() -> None:
    alone = tuple(one._replace(baseline=Counts()) for one in minutes(STEADY))

    finding = found(alone)

    assert finding.verdict is Verdict.NOT_MEASURED
    assert finding.because.startswith("there is no baseline to compare with")


@pytest.mark.parametrize("arm", ["canary", "baseline"])
def test_an_arm_that_vanishes_is_not_measured_any_more(arm: str) -> None:
    trial = minutes(STEADY)
    gone = tuple(
        _without(arm, one._replace(share=10)) if at >= 5 else one._replace(share=10)
        for at, one in enumerate(trial)
    )

    finding = found(gone)

    assert finding.verdict is Verdict.NOT_MEASURED
    assert f"the {arm} has answered nothing for five minutes" in finding.because


def _without(arm: str, minute: Minute) -> Minute:
    if arm == "canary":
        return minute._replace(canary=None)
    return minute._replace(baseline=None)


def _skewed(by: int) -> tuple[Minute, ...]:
    """The baseline's source is so many seconds behind: no minute has both arms' points."""
    skew = by * MINUTE / 60
    pairs = [
        (Minute(one.at, 10, one.canary, None), Minute(one.at + skew, 10, None, one.baseline))
        for one in minutes(STEADY)
    ]
    return tuple(minute for pair in pairs for minute in pair)


@pytest.mark.parametrize("seconds", [1, 30, 59])
def test_sources_whose_clocks_differ_are_never_compared_and_never_pass(seconds: int) -> None:
    finding = found(_skewed(seconds))

    assert finding.minutes == 0
    assert finding.verdict in {Verdict.NOT_MEASURED, Verdict.INCONCLUSIVE}
    assert finding.evidence is not None
    assert finding.evidence.requests_needed == 100


def test_a_source_a_whole_hour_behind_says_nothing_of_the_canary_now() -> None:
    late = tuple(Minute(one.at + 60 * MINUTE, 10, None, one.baseline) for one in minutes(STEADY))
    early = tuple(Minute(one.at, 10, one.canary, None) for one in minutes(STEADY))

    assert found((*early, *late)).verdict is Verdict.NOT_MEASURED


def test_no_minute_at_all_is_not_measured() -> None:
    assert found(()).verdict is Verdict.NOT_MEASURED
    assert found((Minute(NOON, 5, None, None),)).because.startswith("no readable minute yet")
