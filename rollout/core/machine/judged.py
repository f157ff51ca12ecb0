"""What the judge's report means for a stage: guards that fail, that pass, or do neither in time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rollout.analysis.report import Finding, Report, Severity, Verdict
from rollout.core.events import Looked
from rollout.core.head import Head
from rollout.core.machine import back
from rollout.core.machine.decision import Decision, hold, stay
from rollout.core.machine.onward import may_pass, onward, waits_for_pace
from rollout.core.machine.overdue import Way, way_out
from rollout.core.machine.silence import NUMBERS, silent, silent_minutes
from rollout.core.machine.stages import carry_on
from rollout.core.machine.thaw import frost_ahead
from rollout.core.machine.thin import for_want_of_traffic, time_allowed, wants_traffic
from rollout.core.patience import Then
from rollout.core.policy import Bake, Canary, Mirror, Trial
from rollout.core.rollout import HoldCause, Rollout

_UNDECIDED = (HoldCause.INCONCLUSIVE, HoldCause.NOT_MEASURED)


def guards_failed(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    held = rollout.hold is not None and rollout.hold.cause is HoldCause.FAILED
    failed = _of(event.report, Verdict.FAIL, Severity.FAIL)
    if not failed or held:
        return None
    why = "; ".join(finding.because for finding in failed)
    if rollout.policy.on_failure is Then.ROLL_BACK:
        return back.roll_back(head, rollout, why, now)
    return hold(head, rollout, HoldCause.FAILED, why, now)


def silence(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """Nothing readable for three times the metrics' lag."""
    if not silent(rollout, event, now):
        return None
    rule = rollout.policy.on_no_data
    why = f"no {NUMBERS[rollout.source]} for {silent_minutes(rollout, event, now)} minutes"
    way = (rule.hold_minutes * rollout.minute, rule.then)
    return hold(head, rollout, HoldCause.NO_DATA, why, now, way)


def too_early(head: Head, rollout: Rollout, _event: Looked, now: datetime) -> Decision | None:
    """The shortest time is over when the clock says so and the metrics have come that far."""
    stage = _trial(rollout)
    shortest = stage.shortest_minutes * rollout.minute
    left = shortest - rollout.clock.elapsed(now)
    if left > timedelta(0):
        return stay(head, rollout, f"{_minutes(left, rollout)} minutes of {stage} left")
    if shortest and not rollout.clock.has_measured(shortest):
        return stay(head, rollout, f"{stage}: waiting for its last minutes' metrics")
    return None


def passed(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """The numbers are in the entry's findings; the sentence stays short enough to be read."""
    if not may_pass(rollout, event):
        return None
    why = f"{rollout.here} passed all its guards"
    if frost := frost_ahead(rollout, event, now):  # judged on, and again when it may go on
        return stay(head, rollout.model_copy(update={"paced": None}), f"{why}; {frost}")
    return onward(head, rollout, event, now, why)


def too_long(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    stage, report = _trial(rollout), event.report or Report()
    minutes = time_allowed(rollout, stage)
    if rollout.clock.elapsed(now) < minutes * rollout.minute:
        return None
    why = f"{stage} is undecided after {minutes} minutes: {_reasons(rollout, event)}"
    unmeasured = any(one.verdict is Verdict.NOT_MEASURED for one in report.open)
    if unmeasured or not report.counting:
        never_forward = rollout.policy.on_not_measured  # no data is never a pass
        way = Way(never_forward, HoldCause.NOT_MEASURED, why)
        return way_out(head, rollout, event, way, now)
    if wants_traffic(report.open):
        return for_want_of_traffic(head, rollout, event, now, why)
    then = rollout.policy.on_inconclusive
    if then is Then.ADVANCE and any(one.verdict is Verdict.FAIL for one in report.open):
        then = Then.HOLD
    return way_out(head, rollout, event, Way(then, HoldCause.INCONCLUSIVE, why), now)


def undecided(head: Head, rollout: Rollout, event: Looked, _now: datetime) -> Decision | None:
    paced = waits_for_pace(rollout, event)
    known = rollout.model_copy(update={"paced": paced}) if paced else rollout
    return stay(head, known, f"{rollout.here}: {_reasons(rollout, event)}")


def evidence_came(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """What was undecided at the stage's longest time has been decided since."""
    held = rollout.hold
    if held is None or held.cause not in _UNDECIDED or not may_pass(rollout, event):
        return None
    return carry_on(head, rollout, now, "the evidence has come")


def _reasons(rollout: Rollout, event: Looked) -> str:
    paced = waits_for_pace(rollout, event)
    told = "; ".join(found.because for found in (event.report or Report()).open)
    return paced.why if paced else told or "nothing was measured"


def _of(report: Report | None, verdict: Verdict, severity: Severity) -> Sequence[Finding]:
    findings = report.findings if report else ()
    return [
        found for found in findings if found.verdict is verdict and found.guard.severity is severity
    ]


def _trial(rollout: Rollout) -> Trial:
    stage = rollout.here
    assert isinstance(stage, Mirror | Canary | Bake), stage
    return stage


def _minutes(span: timedelta, rollout: Rollout) -> str:
    return f"{span / rollout.minute:.0f}"
