"""What is done when the time of a rollout, a hold or a question is up: as the policy names it."""

from datetime import datetime
from typing import NamedTuple

from rollout.core.events import Looked
from rollout.core.head import Head
from rollout.core.machine import back
from rollout.core.machine.decision import Decision, hold, stay
from rollout.core.machine.onward import as_written
from rollout.core.machine.stages import ask_people, question
from rollout.core.patience import Then
from rollout.core.policy import Approval
from rollout.core.rollout import HoldCause, Phase, Rollout


class Way(NamedTuple):
    """What the policy names for the end of patience, what a hold is for then, and why it ended."""

    then: Then
    cause: HoldCause
    why: str


def way_out(head: Head, rollout: Rollout, event: Looked, way: Way, now: datetime) -> Decision:
    """Patience is over: do what the policy names."""
    why = way.why
    match way.then:
        case Then.ROLL_BACK:
            return back.roll_back(head, rollout, why, now)
        case Then.HOLD:
            return hold(head, rollout, way.cause, why, now)
        case Then.ASK:
            asked = question(rollout, f"{why}: go on?", Approval(), now)
            return ask_people(head, rollout, asked, now, why)
        case Then.ADVANCE:
            return as_written(head, rollout, event, now, f"{why}; the policy says to go on")


def deadline(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """It comes once: what a person lets go on after it is not stopped again."""
    limit = rollout.policy.on_deadline
    frozen = rollout.policy.freeze.elapsed(rollout.started_at, now)
    passed = now >= rollout.started_at + frozen + limit.minutes * rollout.minute
    if not passed or rollout.deadline_passed or rollout.proven:
        return None
    why = f"not decided within {limit.minutes} minutes"
    late = rollout.model_copy(update={"deadline_passed": True})
    if limit.then is not Then.ASK:
        return way_out(head, late, event, Way(limit.then, HoldCause.DEADLINE, why), now)
    if rollout.phase is Phase.APPROVING:
        return stay(head, late, f"{why}; people are asked already")
    asked = question(rollout, f"{why}: go on?", Approval(), now)
    return ask_people(head, late, asked.model_copy(update={"resumes": True}), now, why)


def held_too_long(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    held = rollout.hold
    if held is None or held.until is None or held.then is None or now < held.until:
        return None
    way = Way(held.then, held.cause, f"{held.why}, and none came")
    return way_out(head, rollout, event, way, now)


def nobody_answered(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    asked = rollout.asked
    if asked is None or now < asked.deadline:
        return None
    why = f"nobody answered in time: {asked.question}"
    return way_out(head, rollout, event, Way(asked.then, HoldCause.INCONCLUSIVE, why), now)
