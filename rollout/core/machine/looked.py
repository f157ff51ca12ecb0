"""What a look at the world means: an ordered list of concerns for each phase, first come wins."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from rollout.core.endpoint import Provisioning
from rollout.core.events import Looked
from rollout.core.head import Head
from rollout.core.machine import back
from rollout.core.machine.alerts import still_fires
from rollout.core.machine.decision import Decision, entered, hold, stay, with_rollout
from rollout.core.machine.judged import (
    evidence_came,
    guards_failed,
    passed,
    silence,
    too_early,
    too_long,
    undecided,
)
from rollout.core.machine.learnt import learnt
from rollout.core.machine.onward import room_has_come
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
from rollout.core.machine.overdue import deadline, held_too_long, nobody_answered
from rollout.core.machine.retiring import retired
from rollout.core.machine.silence import NUMBERS, other_source, silent
from rollout.core.machine.stages import ask_for, carry_on, enter_stage, go_on
from rollout.core.machine.thaw import thawed
from rollout.core.machine.thin import gathering
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


# -- a canary that is not ready yet -----------------------------------------------------------


def _never_ready(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    canary = canary_seen(rollout, event)
    limit = rollout.policy.ready_within_minutes
    late = now >= rollout.phase_since + limit * rollout.minute
    state = canary.state if canary else None
    awaited = canary is not None or rollout.awaited
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


# -- while nothing moves ----------------------------------------------------------------------


def _data_is_back(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    held = rollout.hold
    if held is None or held.cause is not HoldCause.NO_DATA or silent(rollout, event, now):
        return None
    return carry_on(head, rollout, now, f"{NUMBERS[rollout.source]} are back")


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


def _still_held(head: Head, rollout: Rollout, event: Looked, _now: datetime) -> Decision | None:
    why = rollout.hold.why if rollout.hold else "held"
    return stay(head, with_map(rollout, event.view.traffic), why)


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
        baseline_changed,
        deadline,
        _ready,
        _never_ready,
        _waiting_for_it,
    ),
    Phase.SMOKING: (*_WRONG, deadline, _smoke_runs),
    Phase.SHIFTING: (*_WRONG, guards_failed, deadline, _arrived, _not_yet),
    Phase.MEASURING: (
        *_WRONG,
        guards_failed,
        deadline,
        other_source,
        silence,
        gathering,
        too_early,
        passed,
        too_long,
        undecided,
    ),
    Phase.HOLDING: (
        aborted,
        canary_gone,
        _map_is_back,
        foreign_map,
        canary_changed,
        still_fires,
        baseline_changed,
        guards_failed,
        deadline,
        other_source,
        _data_is_back,
        evidence_came,
        thawed,
        room_has_come,
        held_too_long,
        _still_held,
    ),
    Phase.APPROVING: (*_WRONG, guards_failed, nobody_answered, deadline, _still_asking),
    Phase.RETIRING: (aborted, canary_gone, foreign_map, retired),
    Phase.ROLLING_BACK: (_way_back,),
    Phase.ROLLED_BACK: (_after,),
}
