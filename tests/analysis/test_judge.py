"""The judge as others see it: verdicts, numbers and sentences."""

import math
from dataclasses import replace

import pytest

from rollout.analysis.judge import Terms, at_full_share, judge
from rollout.analysis.report import Guard, Kind, Metric, Severity, Verdict
from rollout.analysis.samples import Counts, Latency, Minute, Samples
from rollout.analysis.threshold import DOUBT, LONG, SCATTERED, SHORT, threshold
from tests.analysis.builders import (
    ANY_WORSE,
    MINUTE,
    NOON,
    VECTOR_A,
    VECTOR_B,
    WORSE,
    counts,
    found,
    history,
    minutes,
)

GOOD = ((150, 1, 2850, 14),) * 10
USUAL = history([1] * 120, requests=200)


def test_a_failing_canary_fails_in_plain_words() -> None:
    finding = found(minutes(VECTOR_A), ANY_WORSE, past=USUAL)

    assert finding.verdict is Verdict.FAIL
    assert finding.because == (
        "canary 6 of 60 failed (10 %), baseline 6 of 1141 (0.53 %), same four minutes: 19 times as"
        " often (2.7-135); evidence 1990 : 1 against a healthy canary, you asked for 25 : 1"
    )


def test_a_shared_outage_is_nobodys_fault() -> None:
    assert found(minutes(VECTOR_B), past=USUAL).verdict is Verdict.PASS


def test_a_good_canary_passes_with_what_is_shown() -> None:
    finding = found(minutes(GOOD))

    assert finding.verdict is Verdict.PASS
    assert finding.evidence is not None
    assert not finding.evidence.proved
    assert finding.because.endswith("nothing speaks against it; at most 1 points worse (95 %)")


def test_a_pass_may_be_proved() -> None:
    guard = Guard(Metric.ERROR_RATE, worse_by_points=0.02)

    finding = found(minutes(GOOD), guard)

    assert finding.verdict is Verdict.PASS
    assert finding.evidence is not None
    assert finding.evidence.proved


def test_a_failure_stays_a_failure() -> None:
    finding = found(minutes((*VECTOR_A, *((15, 0, 285, 2),) * 60)), ANY_WORSE, past=USUAL)

    assert finding.verdict is Verdict.FAIL
    assert finding.evidence is not None
    assert finding.evidence.ln_e < finding.evidence.ln_e_most


def test_a_warning_waits() -> None:
    finding = found(minutes([(60, 0, 1140, 6), (60, 5, 1140, 6)]), ANY_WORSE, past=USUAL)

    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "you asked for" in finding.because


def test_too_few_requests_wait_and_say_how_long() -> None:
    finding = found(minutes([(5, 0, 95, 0)] * 4), terms=Terms(least_requests=50))

    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.because.startswith("canary 20 of 50 requests, about six minutes left")


@pytest.mark.parametrize(
    ("trial", "why"),
    [
        ((), "no readable minute yet"),
        ((Minute(NOON, 5, None, None),), "no readable minute yet"),
        (minutes([(0, 0, 300, 1)] * 3), "the canary has answered nothing in three minutes"),
        (minutes([(30, 0, 0, 0)] * 3), "there is no baseline to compare with"),
        (
            minutes([*[(200, 0, 3800, 0)] * 3, *[(0, 0, 4000, 0)] * 2]),
            "the canary has answered nothing for two minutes",
        ),
        (
            minutes([*[(200, 0, 3800, 0)] * 3, (200, 0, 0, 0)]),
            "the baseline has answered nothing for one minute",
        ),
    ],
)
@pytest.mark.parametrize("metric", [Metric.ERROR_RATE, Metric.LATENCY_P95])
def test_an_arm_that_is_silent_is_not_measured(
    trial: tuple[Minute, ...], why: str, metric: Metric
) -> None:
    finding = found(trial, Guard(metric, worse_by_ratio=1.1))

    assert finding.verdict is Verdict.NOT_MEASURED
    assert finding.because.startswith(why)


def test_no_guard_is_no_pass() -> None:
    assert judge(Samples(minutes(GOOD)), (), Terms()).verdict is Verdict.NOT_MEASURED


@pytest.mark.parametrize(
    ("status", "metric", "terms", "verdict"),
    [
        (424, Metric.ERROR_RATE, Terms(), Verdict.FAIL),
        (408, Metric.ERROR_RATE, Terms(), Verdict.FAIL),
        (502, Metric.ERROR_RATE, Terms(), Verdict.PASS),
        (502, Metric.ERROR_RATE, Terms(kubernetes=True), Verdict.FAIL),
        (503, Metric.ERROR_RATE, Terms(), Verdict.PASS),
        (503, Metric.UNAVAILABLE_RATE, Terms(), Verdict.FAIL),
        (429, Metric.UNAVAILABLE_RATE, Terms(), Verdict.FAIL),
        (500, Metric.PLATFORM_RATE, Terms(), Verdict.FAIL),
        (404, Metric.ERROR_RATE, Terms(), Verdict.PASS),
    ],
)
def test_each_status_has_its_metric(
    status: int, metric: Metric, terms: Terms, verdict: Verdict
) -> None:
    trial = minutes([(100, 60, 1900, 3)] * 3, status=status)

    assert found(trial, Guard(metric, worse_by_points=0.05), terms).verdict is verdict


def test_strict_and_long_rollouts_ask_for_more() -> None:
    asked = [
        found(minutes(GOOD), terms=terms).because or found(minutes(GOOD), terms=terms)
        for terms in (Terms(), Terms(strict=True))
    ]
    thresholds = [
        finding.evidence.threshold
        for terms in (Terms(), Terms(planned_minutes=100), Terms(planned_minutes=999))
        if (finding := found(minutes(GOOD), terms=terms)).evidence
    ]

    assert asked[0] == asked[1]  # a pass is told without the threshold
    assert thresholds == sorted(set(thresholds))


def test_guards_of_one_severity_share_the_risk() -> None:
    other = Guard(Metric.LATENCY_P95, worse_by_ratio=1.1)
    watching = replace(other, severity=Severity.WATCH)

    alone, shared, beside = (
        judge(Samples(minutes(GOOD)), guards, Terms()).findings[0].evidence
        for guards in ((WORSE,), (WORSE, other), (WORSE, watching))
    )

    assert alone is not None
    assert shared is not None
    assert shared.threshold > alone.threshold
    assert alone == beside


def test_the_default_terms_find_each_guard_in_order() -> None:
    guards = (WORSE, Guard(Metric.LATENCY_P99, at_most=500), Guard(Metric.PLATFORM_RATE, at_most=0))

    report = judge(Samples(minutes(GOOD)), guards, Terms())

    assert [finding.guard for finding in report.findings] == list(guards)


# -- absolute guards -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "verdict"), [(0, Verdict.PASS), (2, Verdict.PASS), (15, Verdict.FAIL)]
)
def test_a_rate_is_held_to_a_limit_without_a_baseline(bad: int, verdict: Verdict) -> None:
    trial = [Minute(NOON + at * MINUTE, 100, counts(200, bad), None) for at in range(6)]

    finding = found(trial, Guard(Metric.ERROR_RATE, at_most=0.02))

    assert finding.verdict is verdict
    assert finding.baseline is None
    assert finding.evidence is not None
    assert finding.evidence.kind is Kind.LIMIT


def test_a_limit_notices_what_breaks_late() -> None:
    trial = [
        Minute(NOON + at * MINUTE, 100, counts(3000, 3 if at < 58 else 900), None)
        for at in range(60)
    ]

    assert found(trial, Guard(Metric.ERROR_RATE, at_most=0.05)).verdict is Verdict.FAIL


def test_a_limit_of_nothing_and_of_everything() -> None:
    trial = [Minute(NOON + at * MINUTE, 100, counts(100, 1), None) for at in range(4)]

    assert found(trial, Guard(Metric.ERROR_RATE, at_most=0)).verdict is Verdict.FAIL
    assert found(trial, Guard(Metric.ERROR_RATE, at_most=1)).verdict is Verdict.PASS


def test_full_share_holds_to_what_was_usual() -> None:
    beside = minutes(GOOD)
    alone = [Minute(NOON + at * MINUTE, 100, counts(3000, 15), None) for at in range(10, 16)]
    samples = Samples((*beside, *alone), history([1] * 120, requests=200))

    (guard,) = at_full_share((WORSE,), samples)
    finding = judge(samples, (guard,), Terms()).findings[0]
    worse = [one._replace(canary=counts(3000, 300)) for one in alone]

    assert guard.at_most == pytest.approx(0.010, abs=0.001)
    assert finding.verdict is Verdict.PASS
    assert found((*beside, *worse), guard).verdict is Verdict.FAIL
    assert found((*minutes([(150, 80, 2850, 14)] * 10), *alone), guard).verdict is Verdict.FAIL


def test_a_first_deployment_is_held_to_one_in_twenty() -> None:
    guards = (
        WORSE,
        Guard(Metric.LATENCY_P95, worse_by_ratio=1.1),
        Guard(Metric.ERROR_RATE, at_most=0.1),
    )

    limited = at_full_share(guards, Samples())

    assert [guard.at_most for guard in limited] == [pytest.approx(0.0505), 0.1]


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [-1, float("nan"), float("inf")])
def test_a_count_is_a_count(count: int) -> None:
    with pytest.raises(ValueError, match="a count is 0 or more"):
        Counts({200: count})
    with pytest.raises(ValueError, match="a count is 0 or more"):
        Counts({}, bins={3: count})


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_latency_is_a_number(value: float) -> None:
    with pytest.raises(ValueError, match="a number of milliseconds"):
        Latency(p95=value)


def test_the_last_of_two_records_of_a_minute_counts() -> None:
    revised = minutes([(15, 0, 285, 1)])

    assert found((*minutes([(15, 9, 285, 1)]), *revised)) == found(revised)


def test_gaps_are_left_out() -> None:
    trial = minutes(VECTOR_A)
    gaps = [Minute(NOON + at * MINUTE, 5, None, None) for at in (4, 5)]

    assert found((*trial, *gaps)) == found(trial)


def test_a_scatter_that_is_estimated_is_asked_for_the_evidence_of_one_that_is_known() -> None:
    """Student's reason: with a divisor of that relative variance it is reached once in 100."""
    assert pytest.approx(1 / 100) == (1 + SCATTERED * DOUBT) ** (-1 / DOUBT)
    assert math.exp(SCATTERED) == pytest.approx(380, abs=1)


@pytest.mark.parametrize("phi", [1.0, 1.5, 2.0, 9.0])
def test_the_more_failures_scatter_the_more_is_asked_for(phi: float) -> None:
    part = min(1.0, phi - 1)

    assert threshold(30, phi, strict=False) == pytest.approx(SHORT + part * (SCATTERED - SHORT))
    assert threshold(30, phi, strict=True) == pytest.approx(LONG + part * (SCATTERED - LONG))
