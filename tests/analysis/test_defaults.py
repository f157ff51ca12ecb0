"""What the guards of a policy by default make of each status, on both kinds of endpoints."""

import pytest

from rollout.analysis.judge import Terms, judge
from rollout.analysis.report import Metric, Severity, Verdict
from rollout.analysis.samples import Samples
from rollout.core.guards import DEFAULT_GUARDS
from tests.analysis.builders import history, minutes

GOOD, HELD, BACK = None, Severity.HOLD, Severity.FAIL


def _outcome(status: int, bad: float, *, kubernetes: bool) -> Severity | None:
    """The gravest severity of what fails when that part of the canary's answers has the status."""
    trial = minutes([(1000, round(1000 * bad), 3000, 0)] * 20, share=25, status=status)
    samples = Samples(trial, history([0, 1, 0] * 40))
    report = judge(samples, DEFAULT_GUARDS, Terms(kubernetes=kubernetes))
    failed = {one.guard.severity for one in report.findings if one.verdict is Verdict.FAIL}
    return next((one for one in (BACK, HELD) if one in failed), GOOD)


@pytest.mark.parametrize(
    ("status", "bad", "managed", "on_kubernetes"),
    [
        (424, 0.02, BACK, BACK),
        (408, 0.02, BACK, BACK),
        (502, 0.02, GOOD, BACK),
        (504, 0.02, GOOD, BACK),
        (429, 0.005, GOOD, GOOD),
        (429, 0.03, HELD, HELD),
        (429, 0.08, BACK, BACK),
        (503, 0.005, GOOD, GOOD),
        (503, 0.03, HELD, HELD),
        (503, 0.08, BACK, BACK),
        (500, 0.005, GOOD, GOOD),
        (500, 0.03, HELD, HELD),
        (500, 0.5, HELD, HELD),
        (400, 0.5, GOOD, GOOD),
        (401, 0.5, GOOD, GOOD),
        (404, 0.5, GOOD, GOOD),
        (413, 0.5, GOOD, GOOD),
    ],
)
def test_what_a_status_leads_to(
    status: int, bad: float, managed: Severity | None, on_kubernetes: Severity | None
) -> None:
    assert _outcome(status, bad, kubernetes=False) is managed
    assert _outcome(status, bad, kubernetes=True) is on_kubernetes


def test_users_turned_away_are_no_failures_of_the_model() -> None:
    trial = minutes([(1000, 900, 3000, 0)] * 5, share=25, status=503)

    report = judge(Samples(trial), DEFAULT_GUARDS, Terms())

    found = {(one.guard.metric, one.guard.severity): one.verdict for one in report.findings}
    assert found[Metric.ERROR_RATE, Severity.FAIL] is Verdict.PASS
    assert found[Metric.UNAVAILABLE_RATE, Severity.FAIL] is Verdict.FAIL
