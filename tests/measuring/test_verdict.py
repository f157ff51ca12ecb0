"""By which minutes a guard is judged: the present stage's pass it, and all may fail it."""

import pytest

from rollout.analysis.report import Verdict
from rollout.analysis.samples import Counts, Minute, Samples, tallied
from rollout.core.rollout import Share
from rollout.measuring.verdict import judged
from tests.builders import MINUTE, a_policy, a_rollout
from tests.fakes import NOON

RATE = {
    "name": "slow",
    "kql": "{endpoint} {since} {until}",
    "worse_by_points": 0.01,
}
NUMBER = {"name": "queue", "prometheus": "q{endpoint}", "at_most": 5}
PLAIN = {"name": "ready", "http": "https://checks.example.com/"}


def minutes(canary: Counts, baseline: Counts, count: int = 10) -> Samples:
    """Those before the stage, which begins at noon."""
    before = (NOON - place * MINUTE for place in range(count, 0, -1))
    return Samples(tuple(Minute(at, 5, canary, baseline) for at in before))


@pytest.mark.parametrize(
    ("guard", "canary", "verdict"),
    [
        (RATE, tallied(1000, 10), Verdict.NOT_MEASURED),
        (NUMBER, Counts(value=3), Verdict.NOT_MEASURED),
        (PLAIN, Counts(value=0), Verdict.NOT_MEASURED),
        (RATE, tallied(1000, 200), Verdict.FAIL),
        (NUMBER, Counts(value=9), Verdict.FAIL),
        (PLAIN, Counts(value=1), Verdict.FAIL),
    ],
)
def test_minutes_of_before_the_stage_can_fail_a_guard_and_never_pass_it(
    guard: dict[str, object], canary: Counts, verdict: Verdict
) -> None:
    policy = a_policy(guards=(guard,))
    shares = (
        Share(since=NOON - 10 * MINUTE, percent=5, stage="canary 5 %"),
        Share(since=NOON, percent=25, stage="canary 25 %"),
    )
    rollout = a_rollout(stage=1, policy=policy, shares=shares, share_since=NOON)
    samples = {str(guard["name"]): minutes(canary, tallied(1000, 10))}

    report = judged(rollout, Samples(), samples, managed=True)

    assert report.verdict is verdict


@pytest.mark.parametrize(
    ("policy", "asked"),
    [({}, False), ({"pace": "adaptive"}, True), ({"on_too_little": {"then": "notch"}}, True)],
)
def test_who_is_paced_is_told_how_bad_the_canary_may_be_by_the_whole_trial(
    policy: dict[str, object], asked: bool
) -> None:
    answers = Counts({200: 1000})
    rollout = a_rollout(policy=a_policy(**policy))

    report = judged(rollout, minutes(answers, answers), {}, managed=True)

    told = {one.evidence.excess_bound_so_far for one in report.findings if one.evidence}
    assert any(told) is asked
