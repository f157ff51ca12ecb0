"""Guards on what both arms answer: they judge pairs where there are any, and nothing else."""

from collections.abc import Mapping
from typing import Any

import pytest

from rollout.analysis.judge import Terms, at_full_share, judge, judge_since
from rollout.analysis.report import Finding, Guard, Kind, Metric, Severity, Verdict
from rollout.analysis.samples import Pairs, Samples
from rollout.analysis.threshold import stakes
from tests.analysis.builders import MINUTE, NOON, WORSE

DISAGREE = Guard(Metric.DISAGREEMENT_RATE, at_most=0.01)
MOVED = Guard(Metric.SCORE_DRIFT, at_most=0.01)
FLIPPED = Guard(Metric.CLASS_FLIPS)
DRIFTED = Guard(Metric.SCORE_HISTOGRAM)
USUAL = {0.2: 400, 0.5: 200, 0.8: 400}


def pairs(minutes: int = 10, **each: Any) -> Samples:
    """The same in every minute."""
    known = tuple(Pairs(NOON + at * MINUTE, **each) for at in range(minutes))
    return Samples(pairs=known, usual_scores=USUAL)


def finding(guard: Guard, samples: Samples) -> Finding:
    return judge(samples, (guard,), Terms()).findings[0]


SAME: Mapping[Guard, dict[str, Any]] = {
    DISAGREE: {"compared": 50, "disagreeing": 0},
    MOVED: {"compared": 20, "differences": (0.005, -0.005) * 10},
    FLIPPED: {"compared": 50, "up": 1, "down": 1},
    DRIFTED: {"canary_scores": {0.2: 20, 0.8: 20}, "baseline_scores": {0.2: 200, 0.8: 200}},
}
OTHER: Mapping[Guard, tuple[dict[str, Any], str]] = {
    DISAGREE: (
        {"compared": 50, "disagreeing": 5},
        "50 of 500 answers differ (10 %), 1 % allowed, same ten minutes",
    ),
    MOVED: (
        {"compared": 20, "differences": (0.06, 0.05) * 10},
        "scores are 0.055 higher in 200 pairs, 0.01 allowed",
    ),
    FLIPPED: ({"compared": 50, "up": 6, "down": 1}, "60 answers turned to yes and 10 to no"),
    DRIFTED: (
        {"canary_scores": {0.5: 10, 0.8: 30}, "baseline_scores": {0.2: 200, 0.8: 200}},
        "the canary's scores are 0.725 on average, the baseline's 0.5",
    ),
}


@pytest.mark.parametrize("guard", SAME)
def test_arms_that_answer_alike_pass(guard: Guard) -> None:
    found = finding(guard, pairs(**SAME[guard]))

    assert found.verdict is Verdict.PASS
    assert found.because.endswith(": nothing speaks against it")


@pytest.mark.parametrize("guard", OTHER)
def test_arms_that_answer_otherwise_fail_with_the_numbers(guard: Guard) -> None:
    each, told = OTHER[guard]

    found = finding(guard, pairs(**each))

    assert found.verdict is Verdict.FAIL
    assert found.because.startswith(told)
    assert found.evidence is not None
    assert found.evidence.kind is Kind.PAIRS


@pytest.mark.parametrize("guard", SAME)
def test_without_pairs_nothing_is_measured(guard: Guard) -> None:
    assert finding(guard, Samples()).verdict is Verdict.NOT_MEASURED
    assert finding(guard, pairs()).because == "no answer of both arms was compared"


@pytest.mark.parametrize("guard", SAME)
def test_few_pairs_are_no_pass(guard: Guard) -> None:
    found = finding(guard, pairs(1, **SAME[guard]))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert " of 100 answers, about " in found.because


def test_more_than_may_differ_is_no_pass_though_it_may_be_chance() -> None:
    guard = Guard(Metric.DISAGREEMENT_RATE, at_most=0.06)

    above = finding(guard, pairs(1, compared=165, disagreeing=12))
    within = finding(guard, pairs(1, compared=165, disagreeing=9))

    assert above.verdict is Verdict.INCONCLUSIVE
    assert above.because.endswith("; that may be chance, more answers tell")
    assert within.verdict is Verdict.PASS


def test_what_failed_before_is_not_forgotten_by_minutes_that_agree() -> None:
    bad = pairs(10, compared=50, disagreeing=5).pairs
    good = tuple(Pairs(NOON + (at + 10) * MINUTE, compared=900) for at in range(40))
    samples = Samples(pairs=(*good, *bad))

    assert finding(DISAGREE, samples).verdict is Verdict.FAIL
    report = judge_since(samples, NOON + 10 * MINUTE, (DISAGREE,), Terms())
    assert report.verdict is Verdict.FAIL


def test_errors_latency_and_answers_share_the_risk_six_to_three_to_one() -> None:
    guards = (WORSE, Guard(Metric.LATENCY_P95, worse_by_ratio=1.1), DISAGREE)

    assert stakes(guards) == pytest.approx((0.6, 0.3, 0.1))


def test_where_nobody_serves_beside_no_answers_are_compared() -> None:
    watch = Guard(Metric.CLASS_FLIPS, severity=Severity.WATCH)

    assert at_full_share((DISAGREE, watch), Samples()) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"compared": 1, "disagreeing": 2},
        {"compared": 1, "up": 1, "down": 1},
        {"compared": -1},
        {"differences": (float("nan"),)},
        {"canary_scores": {0.1: -1}},
    ],
)
def test_pairs_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"pairs|score"):
        Pairs(NOON, **wrong)
