"""What a person may ask of a rollout, and what comes back from our own requests."""

from dataclasses import replace
from datetime import datetime

from rollout.core.actions import ClaimEndpoint
from rollout.core.events import (
    ActionRefused,
    ApprovalGiven,
    ApprovalRefused,
    Command,
    ForeignChangeFound,
    RetryRequested,
    SmokeFinished,
    TrafficAccepted,
)
from rollout.core.head import Head
from rollout.core.machine import back
from rollout.core.machine.decision import Decision, hold, refuse, stay, with_rollout
from rollout.core.machine.hooks import without_question
from rollout.core.machine.looked import ASKS_MAX
from rollout.core.machine.others import foreign_change
from rollout.core.machine.stages import carry_on, enter_stage, go_on, goal, next_stage
from rollout.core.patience import Then
from rollout.core.policy import Approval, Kind
from rollout.core.rollout import HoldCause, Outcome, Rollout, StageClock

FAILURES_TOLD = 3
_OTHER_QUESTION = "that question is not open any more; see what is asked now"


def pause(head: Head, rollout: Rollout, event: Command, now: datetime) -> Decision:
    """Stand still; the stage's clock stops, the evidence and the alerts go on."""
    return hold(head, rollout, HoldCause.PAUSED, _said(event, "paused"), now)


_OF_HOOKS = frozenset({HoldCause.CONFIRMING, HoldCause.VETOED, HoldCause.NO_ANSWER})


def resume(head: Head, rollout: Rollout, event: Command, now: datetime) -> Decision:
    """Go on where the hold began: the stage's clock runs on, its map is asked for if it is lost."""
    why, freed = _said(event, "resumed"), _thawed(rollout, event, now)
    resumed = carry_on(head, _overruled(freed, now), now, why)
    held = rollout.hold is not None and rollout.hold.cause is HoldCause.FROZEN
    return _still_frozen(head, resumed, now) if held else _claiming(resumed, rollout)


def _thawed(rollout: Rollout, event: Command, now: datetime) -> Rollout:
    """A person lets it go on in spite of the freeze of now; the next one counts again."""
    frost = rollout.frost(now) if event.despite_freeze else None
    return rollout.model_copy(update={"thawed_until": frost.until}) if frost else rollout


def _still_frozen(head: Head, decision: Decision, now: datetime) -> Decision:
    """Turn away what would only wait for the end of the freeze."""
    after = decision.head.rollout
    frost = after.frost(now) if after else None
    if after and frost and after.hold and after.hold.cause is HoldCause.FROZEN:
        return refuse(head, f"it is {frost}; wait until then, or add --despite-freeze")
    return decision


def _overruled(rollout: Rollout, now: datetime) -> Rollout:
    """A person goes on in spite of what was found.

    Evidence that failed counts no more; a stage that stayed undecided gets its time again; hooks
    that said no, or nothing, are not asked again.
    """
    cause = rollout.hold.cause if rollout.hold else None
    if cause is HoldCause.FAILED:
        anew = {"evidence_since": now, "report": None, "clock": StageClock()}
        return rollout.model_copy(update=anew)
    if cause in _OF_HOOKS:
        return without_question(rollout)
    if cause in {HoldCause.INCONCLUSIVE, HoldCause.NOT_MEASURED}:
        return rollout.model_copy(update={"clock": StageClock()})
    return rollout


def skip(head: Head, rollout: Rollout, event: Command, now: datetime) -> Decision:
    """On to the next stage without this one's verdict."""
    return _move_to(head, rollout, event, rollout.stage + 1, now, f"skipped {rollout.here}")


def promote(head: Head, rollout: Rollout, event: Command, now: datetime) -> Decision:
    """All traffic to the canary now: straight to the stage at 100 %, or out of it."""
    kinds = [stage.kind for stage in rollout.stages]
    full = kinds.index(Kind.BAKE)
    index = full if rollout.stage < full else rollout.stage + 1
    return _move_to(head, rollout, event, index, now, "promoted")


def _move_to(
    head: Head, rollout: Rollout, event: Command, index: int, now: datetime, what: str
) -> Decision:
    """To a later stage by a person's word; the end only from the map of the last.

    An approval that is passed over takes that word for a yes, if it would have been enough.
    """
    if not rollout.ready:
        return refuse(head, f"{rollout.canary} is not ready")
    wish, found = goal(rollout), rollout.observed
    if index == len(rollout.stages) and found != wish:
        return refuse(head, f"the endpoint has {found}; it ends when {wish} is seen")
    passed = [place for place in range(rollout.stage, index) if _approval(rollout, place)]
    lacking = next((no for place in passed if (no := _lacking(rollout, event, place))), None)
    if lacking:
        return refuse(head, lacking)
    yes = f"; it counts as the yes of {event.who}" if passed else ""
    why = _said(event, what) + yes
    freed = _overruled(_thawed(rollout, event, now), now)
    moved = enter_stage(head, freed, index, now, why)
    return _claiming(_still_frozen(head, moved, now), rollout)


def _approval(rollout: Rollout, place: int) -> Approval | None:
    stage = rollout.stages[place]
    return stage if isinstance(stage, Approval) else None


def _lacking(rollout: Rollout, event: Command, place: int) -> str | None:
    """Why one person's word is not enough to pass over an approval, or nothing."""
    stage = _approval(rollout, place)
    assert stage is not None, place
    if not event.is_one_of(stage):
        people = ", ".join(stage.people)
        return f"an approval by {people} lies on the way; {event.who} may not pass over it"
    here = place == rollout.stage and rollout.asked is not None
    given = set(rollout.asked.approved_by) if here and rollout.asked else set[str]()
    if len(given | {event.who}) < stage.quorum:
        return f"an approval by {stage.quorum} people lies on the way; ask them to approve first"
    return None


def _claiming(decision: Decision, before: Rollout) -> Decision:
    """What a person lets go on marks the endpoint first, if Azure refused the mark."""
    after = decision.head.rollout
    if not before.unclaimed or not decision.taken or after is None or after.over:
        return decision
    claimed = with_rollout(decision.head, after.model_copy(update={"unclaimed": False}))
    claim = ClaimEndpoint(endpoint=before.endpoint)
    return replace(decision, head=claimed, actions=(claim, *decision.actions))


def abort(head: Head, rollout: Rollout, event: Command, now: datetime) -> Decision:
    why = _said(event, "aborted")
    return back.roll_back(head, rollout, why, now, Outcome.ABORTED, event.who)


def approve(head: Head, rollout: Rollout, event: ApprovalGiven, now: datetime) -> Decision:
    """Count a yes; with enough of them the rollout goes on."""
    asked = rollout.asked
    assert asked is not None, rollout.phase
    if event.question_since not in {None, rollout.phase_since}:
        return refuse(head, _OTHER_QUESTION)
    if not event.is_one_of(asked):
        return refuse(head, f"{event.who} may not approve; ask {', '.join(asked.people)}")
    if event.who in asked.approved_by:
        return refuse(head, f"{event.who} has approved already; {asked.quorum} are needed")
    approved = asked.model_copy(update={"approved_by": (*asked.approved_by, event.who)})
    why = _said(event, "approved")
    if len(approved.approved_by) >= asked.quorum:
        freed = _thawed(rollout, event, now)
        return (carry_on if asked.resumes else next_stage)(head, freed, now, why)
    some = f"{why}; {len(approved.approved_by)} of {asked.quorum}"
    return stay(head, rollout.model_copy(update={"asked": approved}), some)


def reject(head: Head, rollout: Rollout, event: ApprovalRefused, now: datetime) -> Decision:
    asked = rollout.asked
    assert asked is not None, rollout.phase
    if event.question_since not in {None, rollout.phase_since}:
        return refuse(head, _OTHER_QUESTION)
    if not event.is_one_of(asked):
        people = ", ".join(asked.people)
        return refuse(head, f"{event.who} may not reject; ask {people}, or abort")
    return back.roll_back(head, rollout, _said(event, "rejected"), now, who=event.who)


def retry_stage(head: Head, rollout: Rollout, event: RetryRequested, now: datetime) -> Decision:
    """The stage from its beginning, with fresh evidence."""
    if not rollout.ready:
        return refuse(head, f"{rollout.canary} is not ready; resume goes on waiting for it")
    fresh = {"evidence_since": now, "report": None, "asked_times": 0}
    why = f"{event.order.who} starts {rollout.here} again"
    again = enter_stage(head, rollout.model_copy(update=fresh), rollout.stage, now, why)
    return _claiming(again, rollout)


def smoked(head: Head, rollout: Rollout, event: SmokeFinished, now: datetime) -> Decision:
    """All answers as expected: on. One not: back."""
    if not event.failures:
        why = f"all {event.passed} smoke requests were answered as expected"
        return next_stage(head, rollout, now, why)
    some = "; ".join(event.failures[:FAILURES_TOLD])
    total = event.passed + len(event.failures)
    unsent = f"; {event.unsent} more were not sent" if event.unsent else ""
    why = f"{len(event.failures)} of {total} smoke requests failed: {some}{unsent}"
    if rollout.policy.on_failure is Then.ROLL_BACK:
        return back.roll_back(head, rollout, why, now)
    return hold(head, rollout, HoldCause.FAILED, why, now)


def accepted(head: Head, rollout: Rollout, event: TrafficAccepted, now: datetime) -> Decision:
    """Azure took a map; it counts when it is seen."""
    if event.traffic != rollout.wanted:
        return refuse(head, f"{event.traffic} is not what is wanted now")
    taken = rollout.model_copy(update={"operation": event.operation, "asked_at": now})
    return stay(head, taken, f"Azure accepted {event.traffic}")


def foreign(head: Head, rollout: Rollout, event: ForeignChangeFound, now: datetime) -> Decision:
    """Another map stood before the write: our own of before that landed late, or someone else's."""
    ours = event.found == rollout.before and rollout.asked_times < ASKS_MAX
    if not ours:
        return foreign_change(head, rollout, event.found, now)
    landed = rollout.model_copy(update={"observed": event.found})
    return go_on(head, landed, now, f"{event.found} landed late")


def refused(head: Head, rollout: Rollout, event: ActionRefused, now: datetime) -> Decision:
    """Azure said no to a step forward: wait for a person."""
    why = f"Azure refuses to {event.action}: {event.reason}"
    if event.remedy:
        why = f"{why}. Run: {event.remedy}"
    unclaimed = rollout.unclaimed or event.kind == "claim_endpoint"
    troubled = rollout.model_copy(update={"trouble": why, "unclaimed": unclaimed})
    return hold(head, troubled, HoldCause.REFUSED, why, now)


def _said(event: Command, what: str) -> str:
    freed = " despite a freeze" if event.despite_freeze else ""
    return f"{what} by {event.who}{freed}" + (f": {event.why}" if event.why else "")
