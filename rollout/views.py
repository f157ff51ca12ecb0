"""What people see of a rollout: the head row told in their words, with the command that helps."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from rollout.analysis.report import Finding, Report
from rollout.core.alerts import AlertState
from rollout.core.frozen import Frozen
from rollout.core.head import Head
from rollout.core.machine.hooks import next_question
from rollout.core.pairs_from import PairsFrom
from rollout.core.policy import Bake, Canary, Mirror
from rollout.core.rollout import HoldCause, Outcome, Phase, Rollout
from rollout.core.source import Source
from rollout.core.traffic import Traffic

LATE = timedelta(minutes=2)
"""A look that is later than this was lost, or always fails."""


class StageView(Frozen):
    index: int = Field(description="from 0")
    name: str = Field(description='such as "canary 25 %"')
    state: str = Field(description="done, here or ahead")
    shortest_seconds: float | None = Field(
        None, description="as long as it lasts at the least here"
    )
    longest_seconds: float | None = None


class DebtView(Frozen):
    action: str
    attempts: int
    next_at: datetime
    last_error: str | None


class RolloutView(Frozen):
    """One rollout, live or over."""

    id: str
    order: str = Field("", description="the id of the start that it came of")
    endpoint: str = Field(description="workspace/endpoint")
    endpoint_id: str = Field(description="the ARM id in lower case")
    canary: str
    baseline: str | None
    source: Source = Field(Source.METRICS, description="where its numbers come from")
    pairs_from: PairsFrom | None = Field(
        None, description="where pairs of answers come from; none are compared, or not yet known"
    )
    policy: str
    policy_version: str
    phase: Phase
    outcome: Outcome | None = Field(description="None while it goes on")
    stages: tuple[StageView, ...]
    stage: int
    started_at: datetime
    phase_since: datetime
    who: str
    why: str
    recorded: Traffic
    wanted: Traffic
    observed: Traffic
    elapsed_seconds: float = Field(description="of the present stage")
    minute_seconds: float = Field(description="the length of a policy minute here")
    readable_until: datetime | None
    findings: tuple[Finding, ...] = ()
    waits_for: str = Field(description="what it waits for, in one sentence")
    until: datetime | None = Field(None, description="when it stops waiting by itself")
    then: str | None = Field(None, description="what it does then")
    approvers: tuple[str, ...] = Field((), description="who may say yes; nobody named: anybody")
    quorum: int | None = Field(None, description="how many are needed, while people are asked")
    approved_by: tuple[str, ...] = ()
    frozen: str | None = Field(None, description="the freeze that keeps its share from growing")
    frozen_until: datetime | None = None
    hook: str | None = Field(None, description="the hook whose answer it waits for")
    needs_person: bool
    remedy: str = Field("", description="the command that helps, where a person is needed")
    rollback: Mapping[str, Any] | None = None
    owed: tuple[DebtView, ...] = ()
    queued: str | None = Field(None, description="the deployment that waits for its turn")
    queued_order: str | None = Field(None, description="the id of the start that brought it")
    trouble: str | None = None
    alerts: tuple[AlertState, ...] = Field((), description="those that fire on the endpoint now")
    next_look_at: datetime | None = None
    late_seconds: float | None = Field(
        None, description="so long overdue is its next look: what is told here is older"
    )


def view(head: Head, rollout: Rollout, now: datetime) -> RolloutView:
    """Tell one rollout; `head` is its endpoint's row, which may be of a later rollout."""
    current = head.rollout is not None and head.rollout.id == rollout.id
    report = rollout.report or Report()
    return RolloutView(
        id=rollout.id,
        order=rollout.order.id,
        endpoint=str(rollout.endpoint),
        endpoint_id=rollout.endpoint.arm_id,
        canary=rollout.canary,
        baseline=rollout.baseline,
        source=rollout.source,
        pairs_from=rollout.pairs_from,
        policy=rollout.policy_name,
        policy_version=rollout.policy.version,
        phase=rollout.phase,
        outcome=rollout.outcome,
        stages=_stages(rollout),
        stage=rollout.stage,
        started_at=rollout.started_at,
        phase_since=rollout.phase_since,
        who=rollout.order.who,
        why=rollout.order.why,
        recorded=rollout.recorded,
        wanted=rollout.wanted,
        observed=rollout.observed,
        elapsed_seconds=rollout.clock.elapsed(now).total_seconds(),
        minute_seconds=rollout.minute.total_seconds(),
        readable_until=rollout.readable_until,
        findings=report.findings,
        waits_for=(_of_owed(head, rollout) if current else "") or _waits_for(rollout),
        **_patience(rollout),
        **_freeze(rollout, now),
        hook=_hook(rollout),
        needs_person=needs_person(rollout),
        remedy=_remedy(rollout),
        rollback=rollout.rollback.model_dump(mode="json") if rollout.rollback else None,
        owed=_owed(head) if current else (),
        queued=head.queued.deployment if current and head.queued else None,
        queued_order=head.queued.id if current and head.queued else None,
        trouble=(rollout.trouble or head.trouble) if current else None,
        alerts=tuple(one for one in head.alerts if one.firing) if current else (),
        next_look_at=head.due_at if current else None,
        late_seconds=_late(head, now) if current and not rollout.over else None,
    )


def _late(head: Head, now: datetime) -> float | None:
    late = now - head.due_at if head.due_at else timedelta(0)
    return late.total_seconds() if late > LATE else None


def _stages(rollout: Rollout) -> tuple[StageView, ...]:
    done = rollout.phase is Phase.PROMOTED
    return tuple(
        StageView(
            index=index,
            name=str(stage),
            state="done" if done or index < rollout.stage else _here(index, rollout.stage),
            shortest_seconds=_seconds(stage, "shortest_minutes", rollout.minute),
            longest_seconds=_longest(rollout, index, stage),
        )
        for index, stage in enumerate(rollout.stages)
    )


def _longest(rollout: Rollout, index: int, stage: object) -> float | None:
    """With what the present stage was given for want of traffic."""
    if rollout.further and index == rollout.stage:
        return (rollout.further.limit_minutes * rollout.minute).total_seconds()
    return _seconds(stage, "longest_minutes", rollout.minute)


def _here(index: int, stage: int) -> str:
    return "here" if index == stage else "ahead"


def _seconds(stage: object, name: str, minute: timedelta) -> float | None:
    if not isinstance(stage, Mirror | Canary | Bake):
        return None
    count: int = getattr(stage, name)
    return (count * minute).total_seconds()


def _owed(head: Head) -> tuple[DebtView, ...]:
    return tuple(
        DebtView(
            action=str(debt.action),
            attempts=debt.attempts,
            next_at=debt.not_before,
            last_error=debt.last_error,
        )
        for debt in head.owed
    )


def _patience(rollout: Rollout) -> Mapping[str, Any]:
    """How long it waits, and what happens then."""
    if rollout.phase is Phase.APPROVING and rollout.asked:
        asked = rollout.asked
        return {
            "until": asked.deadline,
            "then": asked.then.value,
            "approvers": asked.people,
            "quorum": asked.quorum,
            "approved_by": asked.approved_by,
        }
    held = rollout.hold if rollout.phase is Phase.HOLDING else None
    if held and held.then:
        return {"until": held.until, "then": held.then.value}
    if held and held.cause is HoldCause.FROZEN:
        return {"until": held.until, "then": "go on"}
    return {}


def _hook(rollout: Rollout) -> str | None:
    asks = rollout.hold is not None and rollout.hold.cause is HoldCause.CONFIRMING
    hook = next_question(rollout) if asks and rollout.phase is Phase.HOLDING else None
    return hook.confirm if hook else None


def _freeze(rollout: Rollout, now: datetime) -> Mapping[str, Any]:
    frost = None if rollout.over or rollout.phase is Phase.ROLLING_BACK else rollout.frost(now)
    return {"frozen": str(frost), "frozen_until": frost.until} if frost else {}


def needs_person(rollout: Rollout) -> bool:
    """Whether it stands still until a person acts."""
    if rollout.phase is Phase.APPROVING:
        return True
    if rollout.phase is Phase.ROLLING_BACK:
        return rollout.trouble is not None
    held = rollout.hold if rollout.phase is Phase.HOLDING else None
    return held is not None and held.until is None and held.cause is not HoldCause.CONFIRMING


def _remedy(rollout: Rollout) -> str:
    if not needs_person(rollout):
        return ""
    where = str(rollout.endpoint)
    if rollout.phase is Phase.APPROVING:
        return f"rollout approve {where}   (or: rollout reject {where})"
    if rollout.phase is Phase.ROLLING_BACK:
        return rollout.trouble or ""
    return _remedy_of_hold(rollout, where)


def _remedy_of_hold(rollout: Rollout, where: str) -> str:
    cause = rollout.hold.cause if rollout.hold else None
    if rollout.hold and cause is HoldCause.CAPACITY:
        return rollout.hold.why.partition("Run: ")[2]
    if cause in {HoldCause.VETOED, HoldCause.NO_ANSWER}:
        return (
            f"rollout retry {where}   (asks again; or go on in spite of it: rollout resume {where})"
        )
    if cause is HoldCause.FAILED:
        return f"rollout abort {where}   (or, if the evidence is wrong: rollout resume {where})"
    return f"rollout resume {where}   (or: rollout abort {where})"


def _waits_for(rollout: Rollout) -> str:
    """What the phase waits for, in one sentence."""
    held = rollout.hold.why if rollout.hold else ""
    asked = rollout.asked.question if rollout.asked else ""
    sentences: Mapping[Phase, str] = {
        Phase.PREPARING: f"for {rollout.canary} to be ready",
        Phase.SMOKING: f"for the answers of {rollout.canary} to smoke requests",
        Phase.SHIFTING: f"for the endpoint to show {rollout.wanted}",
        Phase.MEASURING: _verdict_awaited(rollout),
        Phase.HOLDING: held,
        Phase.APPROVING: f"for people: {asked}",
        Phase.RETIRING: f"for {rollout.baseline} to be retired",
        Phase.ROLLING_BACK: f"for the endpoint to show {rollout.wanted} again",
    }
    return sentences.get(rollout.phase, "nothing: it is over")


def _verdict_awaited(rollout: Rollout) -> str:
    passes = rollout.report is not None and not rollout.report.open
    if rollout.paced and passes:
        return f"in {rollout.here}, whose guards pass: {rollout.paced.why}"
    return f"for the verdict on {rollout.here}{_given(rollout)}"


def _of_owed(head: Head, rollout: Rollout) -> str:
    """What the row knows of the action that is waited for; else empty."""
    smoked = next((debt.smoked for debt in head.owed if debt.smoked), None)
    if rollout.phase is Phase.SMOKING and smoked:
        return f"{_waits_for(rollout)}: {smoked}"
    return _put_off(head, rollout)


def _put_off(head: Head, rollout: Rollout) -> str:
    """What a rollback waits for while Azure is busy, and since when; else empty."""
    tried = [one for one in head.owed if one.action.type == "set_traffic" and one.asked_at]
    if rollout.phase is not Phase.ROLLING_BACK or not tried:
        return ""
    debt = tried[0]
    times = "once" if debt.attempts == 1 else f"{debt.attempts} times"
    return (
        f"for Azure to take the request for {rollout.wanted}: asked {times} since"
        f" {debt.asked_at:%H:%M:%S} UTC, and put off: {debt.last_error}"
    )


def _given(rollout: Rollout) -> str:
    """What the stage was given for want of traffic."""
    further = rollout.further
    if further is None:
        return ""
    if further.mirror:
        return f": too few requests came, copies of {further.mirror} % gather evidence"
    if further.weight:
        return f": too few requests came, it has {further.weight} % for now"
    return f": too few requests came, it has up to {further.limit_minutes} minutes"


def needing_a_person_first(views: Sequence[RolloutView]) -> list[RolloutView]:
    """In the order in which someone on call reads them: who needs me, what moves, what is over."""
    return sorted(views, key=lambda one: (not one.needs_person, one.outcome is not None))
