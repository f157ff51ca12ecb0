"""The way back: it needs no metrics, no gate and no policy, only the recorded map."""

from datetime import datetime, timedelta

from rollout.core.actions import SetTraffic
from rollout.core.events import (
    ActionRefused,
    EndpointGone,
    Looked,
    ReleaseRequested,
    TrafficAccepted,
    UndoRequested,
)
from rollout.core.head import Head
from rollout.core.machine.decision import (
    Decision,
    entered,
    refuse,
    stay,
    with_rollout,
)
from rollout.core.policy import Kind, Retire
from rollout.core.rollout import Outcome, Phase, Rollback, Rollout

WATCH_MINUTES = 10
"""So long after a rollback a write that Azure had accepted before may still land."""

_ASK_AGAIN_AFTER = timedelta(seconds=15)
CONTROLLER = "rollout"


def roll_back(
    head: Head,
    rollout: Rollout,
    why: str,
    now: datetime,
    outcome: Outcome = Outcome.ROLLED_BACK,
    who: str = CONTROLLER,
) -> Decision:
    """Decide to give all traffic back: a new generation, so that no older wish is sent any more."""
    back = Rollback(outcome=outcome, why=why, who=who, decided_at=now)
    returning = entered(
        rollout,
        Phase.ROLLING_BACK,
        now,
        rollback=back,
        before=rollout.wanted,
        hold=None,
        asked=None,
        trouble=None,
        clock=rollout.clock.stopped(now),
    )
    newer = head.model_copy(update={"generation": head.generation + 1})
    return _ask_back(newer, returning, now, f"roll back: {why}")


def _ask_back(head: Head, rollout: Rollout, now: datetime, why: str) -> Decision:
    wish = {"wanted": rollout.recorded, "asked_at": now, "operation": None}
    returning = rollout.model_copy(update=wish)
    return Decision(with_rollout(head, returning), why, (way_back(rollout),))


def way_back(rollout: Rollout) -> SetTraffic:
    """The request that restores the recorded map, whatever is found."""
    return SetTraffic(
        endpoint=rollout.endpoint, traffic=rollout.recorded, expect=None, canary=rollout.canary
    )


def accepted(head: Head, rollout: Rollout, event: TrafficAccepted, now: datetime) -> Decision:
    """Azure took the way back; it counts when it is seen."""
    if event.traffic != rollout.wanted:
        return refuse(head, f"{event.traffic} is not what is wanted now")
    back = _back(rollout)
    taken = {
        "rollback": back.model_copy(
            update={
                "asked_at": back.asked_at or event.asked_at,
                "accepted_at": back.accepted_at or now,
            }
        ),
        "operation": event.operation,
        "asked_at": now,
        "trouble": None,
    }
    return stay(head, rollout.model_copy(update=taken), f"Azure accepted {event.traffic}")


def refused(head: Head, rollout: Rollout, event: ActionRefused, _now: datetime) -> Decision:
    """Azure refuses the way back: it stays owed, and a person is told what to run."""
    trouble = f"Azure refuses to {event.action}: {event.reason}"
    if event.remedy:
        trouble = f"{trouble}. Run: {event.remedy}"
    return stay(head, rollout.model_copy(update={"trouble": trouble}), trouble)


def look_for_it(head: Head, rollout: Rollout, looked: Looked, now: datetime) -> Decision:
    """Rolling back: done when a look shows the recorded map; asked for again until then."""
    rollout = rollout.model_copy(update={"observed": looked.view.traffic})
    missing = set(rollout.recorded.live) - set(looked.view.deployments)
    if looked.view.traffic == rollout.recorded and looked.view.state.settled:
        return _seen_back(head, rollout, now)
    why = f"waiting for {rollout.recorded}, the endpoint has {looked.view.traffic}"
    if missing:
        why = f"{', '.join(sorted(missing))} of the recorded map is gone! {why}"
        ways = "Create it again; or end this with the traffic as it is."
        trouble = f"{why}. {ways} Run: rollout release {rollout.endpoint}"
        rollout = rollout.model_copy(update={"trouble": trouble})
    late = rollout.asked_at is None or now - rollout.asked_at > _ASK_AGAIN_AFTER
    if not _owes_traffic(head) and looked.view.state.settled and (late or looked.operation_failed):
        return _ask_back(head, rollout, now, f"{why}; asked again")
    return stay(head, rollout, why)


def _seen_back(head: Head, rollout: Rollout, now: datetime) -> Decision:
    back = _back(rollout)
    seen = back.model_copy(update={"seen_at": back.seen_at or now})
    done = entered(rollout, Phase.ROLLED_BACK, now, rollback=seen, operation=None, trouble=None)
    return Decision(with_rollout(head, done), f"the endpoint has {rollout.recorded} again")


def watch(head: Head, rollout: Rollout, looked: Looked, now: datetime) -> Decision:
    """After a rollback: a write accepted earlier may land late, and is followed at once."""
    until = watched_until(rollout)
    if until is None or now >= until:
        return refuse(head, "the watch after the rollback is over")
    found = looked.view.traffic
    rollout = rollout.model_copy(update={"observed": found})
    if found == rollout.recorded:
        return stay(head, rollout, f"still {found}")
    if found == rollout.before or found.reaches(rollout.canary):
        why = f"{found} landed after the rollback"
        again = entered(rollout, Phase.ROLLING_BACK, now)
        newer = head.model_copy(update={"generation": head.generation + 1})
        return _ask_back(newer, again, now, f"roll back again: {why}")
    return stay(head, rollout, f"someone set {found} after the rollback; it is left alone")


def gone(head: Head, rollout: Rollout, _event: EndpointGone, now: datetime) -> Decision:
    """There is no endpoint to give the traffic back on: the rollout is over."""
    why = f"the endpoint {rollout.endpoint} is gone"
    back = rollout.rollback or Rollback(
        outcome=Outcome.ABORTED, why=why, who=CONTROLLER, decided_at=now
    )
    back = back.model_copy(update={"seen_at": now})  # if it was a mistake, the watch shows it
    ended = entered(rollout, Phase.ROLLED_BACK, now, rollback=back, hold=None, asked=None)
    newer = head.model_copy(update={"generation": head.generation + 1})
    return Decision(with_rollout(newer, ended), why)


def watched_until(rollout: Rollout) -> datetime | None:
    """When the watch after a rollback ends."""
    seen = rollout.rollback.seen_at if rollout.rollback else None
    watched = rollout.phase is Phase.ROLLED_BACK and seen is not None
    return seen + WATCH_MINUTES * rollout.minute if watched and seen else None


def undo(head: Head, rollout: Rollout, event: UndoRequested, now: datetime) -> Decision:
    """After a promotion: traffic back to the previous baseline, with a rollback's urgency."""
    if rollout.baseline is None:
        return refuse(head, f"nothing served before {rollout.canary}: there is no way back")
    stage = next((stage for stage in rollout.stages if stage.kind is Kind.RETIRE), None)
    if isinstance(stage, Retire) and stage.baseline == "delete":
        return refuse(head, f"{rollout.baseline} was deleted when it was retired")
    missing = sorted(set(rollout.recorded.live) - set(event.there or rollout.recorded.live))
    if missing:
        gone = f"{', '.join(missing)} of the recorded map is gone from the endpoint"
        return refuse(head, f"{gone}: create it again, then undo; or roll out another deployment")
    why = f"{event.who} undoes the promotion" + (f": {event.why}" if event.why else "")
    return roll_back(head, rollout, why, now, Outcome.UNDONE, event.who)


def release(head: Head, rollout: Rollout, event: ReleaseRequested, now: datetime) -> Decision:
    """A person ends a way back that does not come through: the map stays as it was last seen."""
    if rollout.trouble is None:
        return refuse(head, "its way back is under way; release is for one that does not succeed")
    said = f"released by {event.who}" + (f": {event.why}" if event.why else "")
    why = f"{said}; the traffic is NOT given back, the endpoint has {rollout.observed}"
    ended = entered(rollout, Phase.RELEASED, now, operation=None)
    newer = head.model_copy(update={"generation": head.generation + 1})
    return Decision(with_rollout(newer, ended), why)


def _owes_traffic(head: Head) -> bool:
    return any(debt.action.type == "set_traffic" for debt in head.owed)


def _back(rollout: Rollout) -> Rollback:
    assert rollout.rollback is not None, rollout.phase
    return rollout.rollback
