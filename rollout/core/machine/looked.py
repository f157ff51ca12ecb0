"""What a look at the world means: an ordered list of concerns for each phase, first come wins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from rollout.analysis.report import Finding, Report, Severity, Verdict
from rollout.core.endpoint import Provisioning
from rollout.core.events import Looked
from rollout.core.head import Head
from rollout.core.machine import back
from rollout.core.machine.alerts import still_fires
from rollout.core.machine.decision import Decision, entered, hold, stay, with_rollout
from rollout.core.machine.learnt import learnt
from rollout.core.machine.onward import may_pass, onward, room_has_come, waits_for_pace
from rollout.core.machine.others import (
    STALE,
    aborted,
    baseline_changed,
    canary_changed,
    canary_gone,
    canary_seen,
    foreign_map,
    with_map,
)
from rollout.core.machine.retiring import retired
from rollout.core.machine.silence import NUMBERS, other_source, silent, silent_minutes
from rollout.core.machine.stages import (
    ask_for,
    ask_people,
    carry_on,
    enter_stage,
    go_on,
    next_stage,
    question,
)
from rollout.core.machine.thaw import frost_ahead, thawed
from rollout.core.machine.thin import (
    for_want_of_traffic,
    gathering,
    time_allowed,
    wants_traffic,
)
from rollout.core.patience import Then
from rollout.core.policy import Approval, Bake, Canary, Mirror, Trial
from rollout.core.rollout import HoldCause, Phase, Rollout

ASKS_MAX = 5

Concern = Callable[[Head, Rollout, Looked, datetime], Decision | None]


def looked(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision:
    """Weigh the phase's concerns in order; the last of each list always answers."""
    wiser, seen, news = learnt(head, _noticed(rollout, event), event, now)
    decision = _weighed(wiser, seen, event, now)
    return replace(decision, why="; ".join([decision.why, *news])) if news else decision


def _weighed(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision:
    for concern in CONCERNS[rollout.phase]:
        decision = concern(head, rollout, event, now)
        if decision is not None:
            return decision
    return stay(head, rollout, "nothing new")


def _noticed(rollout: Rollout, event: Looked) -> Rollout:
    return rollout.model_copy(
        update={
            "report": event.report or rollout.report,
            "readable_until": event.readable_until or rollout.readable_until,
            "clock": rollout.clock.hearing(_heard(event)),
        }
    )


def _heard(event: Looked) -> datetime | None:
    """The end of the last minute that has a point and can be read."""
    if event.heard_until is None or event.readable_until is None:
        return None
    return min(event.heard_until, event.readable_until)


# -- what time brings -------------------------------------------------------------------------


def _deadline(head: Head, rollout: Rollout, _event: Looked, now: datetime) -> Decision | None:
    """It comes once: what a person lets go on after it is not stopped again."""
    limit = rollout.policy.on_deadline
    frozen = rollout.policy.freeze.elapsed(rollout.started_at, now)
    passed = now >= rollout.started_at + frozen + limit.minutes * rollout.minute
    if not passed or rollout.deadline_passed or rollout.proven:
        return None
    why = f"not decided within {limit.minutes} minutes"
    late = rollout.model_copy(update={"deadline_passed": True})
    if limit.then is not Then.ASK:
        return _way_out(head, late, limit.then, HoldCause.DEADLINE, why, now)
    if rollout.phase is Phase.APPROVING:
        return stay(head, late, f"{why}; people are asked already")
    asked = question(rollout, f"{why}: go on?", Approval(), now)
    return ask_people(head, late, asked.model_copy(update={"resumes": True}), now, why)


def _way_out(
    head: Head, rollout: Rollout, then: Then, cause: HoldCause, why: str, now: datetime
) -> Decision:
    """Patience is over: do what the policy names."""
    match then:
        case Then.ROLL_BACK:
            return back.roll_back(head, rollout, why, now)
        case Then.HOLD:
            return hold(head, rollout, cause, why, now)
        case Then.ASK:
            asked = question(rollout, f"{why}: go on?", Approval(), now)
            return ask_people(head, rollout, asked, now, why)
        case Then.ADVANCE:
            return next_stage(head, rollout, now, f"{why}; the policy says to go on")


def _never_ready(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    canary = canary_seen(rollout, event)
    limit = rollout.policy.ready_within_minutes
    late = now >= rollout.phase_since + limit * rollout.minute
    state = canary.state if canary else None
    awaited = canary is not None or rollout.order.create is not None
    if awaited and not late and state is not Provisioning.FAILED:
        return None
    still = f"it is {state}, the endpoint is {event.view.state}"
    why = {
        None: f"{rollout.canary} is gone before it was ready",
        Provisioning.FAILED: f"Azure could not create {rollout.canary}",
    }.get(state, f"{rollout.canary} was not ready within {limit} minutes: {still}")
    return Decision(with_rollout(head, entered(rollout, Phase.REFUSED, now)), why)


def _ready(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    canary = canary_seen(rollout, event)
    settled = event.view.state is Provisioning.SUCCEEDED
    if canary is None or canary.state is not Provisioning.SUCCEEDED or not settled:
        return None
    prints = {
        name: view.fingerprint
        for name, view in event.view.deployments.items()
        if name in {rollout.canary, rollout.baseline}
    }
    ready = rollout.model_copy(update={"fingerprints": prints, "evidence_since": now})
    return enter_stage(head, ready, 0, now, f"{rollout.canary} is ready")


def _waiting_for_it(head: Head, rollout: Rollout, event: Looked, _now: datetime) -> Decision | None:
    canary = canary_seen(rollout, event)
    state = canary.state if canary else "not there"
    why = f"{rollout.canary} is {state}, the endpoint is {event.view.state}"
    return stay(head, rollout, why)


# -- a map that was asked for -----------------------------------------------------------------


def _arrived(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    settled = event.view.state.settled
    if event.view.traffic != rollout.wanted or not settled:
        return None
    there = with_map(rollout, rollout.wanted)
    return go_on(head, there, now, f"the endpoint has {rollout.wanted}")


def _not_yet(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """Ask again when the write was accepted but is not seen, a bounded number of times."""
    owed = any(debt.action.type == "set_traffic" for debt in head.owed)
    late = rollout.asked_at is not None and now - rollout.asked_at > STALE
    waiting = f"waiting for {rollout.wanted}, the endpoint has {event.view.traffic}"
    if owed or not event.view.state.settled or not (late or event.operation_failed):
        return stay(head, rollout, waiting)
    reason = event.operation_failed or "the write was accepted, but is not seen"
    if rollout.asked_times >= ASKS_MAX:
        return hold(head, rollout, HoldCause.REFUSED, f"{reason}; asked {ASKS_MAX} times", now)
    return ask_for(head, rollout, rollout.wanted, now, f"{reason}; asked again")


# -- what the judge says ----------------------------------------------------------------------


def _guards_failed(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    held = rollout.hold is not None and rollout.hold.cause is HoldCause.FAILED
    failed = _of(event.report, Verdict.FAIL, Severity.FAIL)
    if not failed or held:
        return None
    why = "; ".join(finding.because for finding in failed)
    if rollout.policy.on_failure is Then.ROLL_BACK:
        return back.roll_back(head, rollout, why, now)
    return hold(head, rollout, HoldCause.FAILED, why, now)


def _silence(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """Nothing readable for three times the metrics' lag."""
    if not silent(rollout, event, now):
        return None
    rule = rollout.policy.on_no_data
    why = f"no {NUMBERS[rollout.source]} for {silent_minutes(rollout, event, now)} minutes"
    way = (rule.hold_minutes * rollout.minute, rule.then)
    return hold(head, rollout, HoldCause.NO_DATA, why, now, way)


def _too_early(head: Head, rollout: Rollout, _event: Looked, now: datetime) -> Decision | None:
    """The shortest time is over when the clock says so and the metrics have come that far."""
    stage = _trial(rollout)
    shortest = stage.shortest_minutes * rollout.minute
    left = shortest - rollout.clock.elapsed(now)
    if left > timedelta(0):
        return stay(head, rollout, f"{_minutes(left, rollout)} minutes of {stage} left")
    if shortest and not rollout.clock.has_measured(shortest):
        return stay(head, rollout, f"{stage}: waiting for its last minutes' metrics")
    return None


def _passed(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """The numbers are in the entry's findings; the sentence stays short enough to be read."""
    if not may_pass(rollout, event):
        return None
    why = f"{rollout.here} passed all its guards"
    if frost := frost_ahead(rollout, event, now):  # judged on, and again when it may go on
        return stay(head, rollout.model_copy(update={"paced": None}), f"{why}; {frost}")
    return onward(head, rollout, event, now, why)


def _too_long(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    stage, report = _trial(rollout), event.report or Report()
    minutes = time_allowed(rollout, stage)
    if rollout.clock.elapsed(now) < minutes * rollout.minute:
        return None
    why = f"{stage} is undecided after {minutes} minutes: {_reasons(rollout, event)}"
    unmeasured = any(one.verdict is Verdict.NOT_MEASURED for one in report.open)
    if unmeasured or not report.counting:
        way = rollout.policy.on_not_measured  # never forward: no data is never a pass
        return _way_out(head, rollout, way, HoldCause.NOT_MEASURED, why, now)
    if wants_traffic(report.open):
        return for_want_of_traffic(head, rollout, event, now, why)
    then = rollout.policy.on_inconclusive
    if then is Then.ADVANCE and any(one.verdict is Verdict.FAIL for one in report.open):
        then = Then.HOLD
    return _way_out(head, rollout, then, HoldCause.INCONCLUSIVE, why, now)


def _undecided(head: Head, rollout: Rollout, event: Looked, _now: datetime) -> Decision | None:
    paced = waits_for_pace(rollout, event)
    known = rollout.model_copy(update={"paced": paced}) if paced else rollout
    return stay(head, known, f"{rollout.here}: {_reasons(rollout, event)}")


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


# -- while nothing moves ----------------------------------------------------------------------


def _data_is_back(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    held = rollout.hold
    if held is None or held.cause is not HoldCause.NO_DATA or silent(rollout, event, now):
        return None
    return carry_on(head, rollout, now, f"{NUMBERS[rollout.source]} are back")


_UNDECIDED = (HoldCause.INCONCLUSIVE, HoldCause.NOT_MEASURED)


def _evidence_came(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """What was undecided at the stage's longest time has been decided since."""
    held = rollout.hold
    if held is None or held.cause not in _UNDECIDED or not may_pass(rollout, event):
        return None
    return carry_on(head, rollout, now, "the evidence has come")


def _map_is_back(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """The map that was wanted, or that was there while it was being asked for."""
    held, found = rollout.hold, event.view.traffic
    if held is None or held.cause is not HoldCause.FOREIGN_CHANGE:
        return None
    shifting = held.during is Phase.SHIFTING
    ours = found == rollout.wanted or (shifting and found == rollout.before)
    if not ours or not event.view.state.settled:
        return None
    return carry_on(head, with_map(rollout, found), now, f"{found} is back")


def _held_too_long(head: Head, rollout: Rollout, _event: Looked, now: datetime) -> Decision | None:
    held = rollout.hold
    if held is None or held.until is None or held.then is None or now < held.until:
        return None
    return _way_out(head, rollout, held.then, held.cause, f"{held.why}, and none came", now)


def _still_held(head: Head, rollout: Rollout, event: Looked, _now: datetime) -> Decision | None:
    why = rollout.hold.why if rollout.hold else "held"
    return stay(head, with_map(rollout, event.view.traffic), why)


def _nobody_answered(
    head: Head, rollout: Rollout, _event: Looked, now: datetime
) -> Decision | None:
    asked = rollout.asked
    if asked is None or now < asked.deadline:
        return None
    why = f"nobody answered in time: {asked.question}"
    return _way_out(head, rollout, asked.then, HoldCause.INCONCLUSIVE, why, now)


def _still_asking(head: Head, rollout: Rollout, _event: Looked, _now: datetime) -> Decision | None:
    question = rollout.asked.question if rollout.asked else "approval"
    return stay(head, rollout, f"waiting for people: {question}")


def _smoke_runs(head: Head, rollout: Rollout, _event: Looked, _now: datetime) -> Decision | None:
    return stay(head, rollout, "smoke requests are under way")


def _way_back(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    return back.look_for_it(head, rollout, event, now)


def _after(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    return back.watch(head, rollout, event, now)


_WRONG: tuple[Concern, ...] = (aborted, canary_gone, foreign_map, canary_changed, baseline_changed)
CONCERNS: Mapping[Phase, tuple[Concern, ...]] = {
    Phase.PREPARING: (
        aborted,
        foreign_map,
        _deadline,
        _ready,
        _never_ready,
        _waiting_for_it,
    ),
    Phase.SMOKING: (*_WRONG, _deadline, _smoke_runs),
    Phase.SHIFTING: (*_WRONG, _guards_failed, _deadline, _arrived, _not_yet),
    Phase.MEASURING: (
        *_WRONG,
        _guards_failed,
        _deadline,
        other_source,
        _silence,
        gathering,
        _too_early,
        _passed,
        _too_long,
        _undecided,
    ),
    Phase.HOLDING: (
        aborted,
        canary_gone,
        _map_is_back,
        foreign_map,
        canary_changed,
        still_fires,
        _guards_failed,
        _deadline,
        other_source,
        _data_is_back,
        _evidence_came,
        thawed,
        room_has_come,
        _held_too_long,
        _still_held,
    ),
    Phase.APPROVING: (*_WRONG, _guards_failed, _nobody_answered, _deadline, _still_asking),
    Phase.RETIRING: (aborted, canary_gone, foreign_map, retired),
    Phase.ROLLING_BACK: (_way_back,),
    Phase.ROLLED_BACK: (_after,),
}
