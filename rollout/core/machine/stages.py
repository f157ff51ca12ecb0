"""Moving through a policy's stages: which map each wants, and what starts when it is seen."""

from collections.abc import Callable, Mapping
from datetime import datetime

from rollout.core.actions import Action, DeleteDeployment, RunSmoke, ScaleDeployment, SetTraffic
from rollout.core.freeze import Frost
from rollout.core.head import Head
from rollout.core.machine import hooks
from rollout.core.machine.decision import Decision, entered, hold, with_rollout
from rollout.core.policy import Approval, Bake, Canary, Kind, Mirror, Retire, Smoke
from rollout.core.rollout import Asked, HoldCause, Phase, Rollout, Share, StageClock
from rollout.core.traffic import Traffic

SHARES_MAX = 100
"""So many shares are kept; a map that others change every hour does not fill the row."""


def goal(rollout: Rollout) -> Traffic:
    """The map that the present stage wants; approval and retire want that of the stage before."""
    canary, baseline, recorded = rollout.canary, rollout.baseline, rollout.recorded
    given = _given(rollout)
    if given is not None:
        return given
    for stage in reversed(rollout.stages[: rollout.stage + 1]):
        match stage:
            case Smoke():
                return recorded
            case Mirror(percent=percent):
                return recorded.mirrored_to(canary, percent)
            case Canary(weight=weight):
                return recorded.with_canary(canary, baseline, weight)
            case Bake():
                return recorded.with_canary(canary, baseline, 100)
            case Approval() | Retire():
                continue
    return recorded


def _given(rollout: Rollout) -> Traffic | None:
    """The map of a stage that was given something else for want of traffic."""
    recorded, further = rollout.recorded, rollout.further
    if further and further.mirror:
        return recorded.mirrored_to(rollout.canary, further.mirror)
    if further and further.weight:
        return recorded.with_canary(rollout.canary, rollout.baseline, further.weight)
    return None


def enter_stage(head: Head, rollout: Rollout, index: int, now: datetime, why: str) -> Decision:
    """Begin the stage with that index, or end the rollout when there is none left."""
    if index == len(rollout.stages):
        return _promoted(head, rollout, now, why)
    fresh = {
        "stage": index,
        "confirmed": 0,
        "clock": StageClock(),
        "share_since": None,
        "further": None,
        "paced": None,
        "hold": None,
        "asked": None,
        "trouble": None,
    }
    return go_on(head, rollout.model_copy(update=fresh), now, why)


def next_stage(head: Head, rollout: Rollout, now: datetime, why: str) -> Decision:
    return enter_stage(head, rollout, rollout.stage + 1, now, why)


def carry_on(head: Head, rollout: Rollout, now: datetime, why: str) -> Decision:
    """Go on where a hold or a question interrupted; a map that was lost is asked for again."""
    asking = rollout.hold is not None and rollout.hold.during is Phase.APPROVING
    free = rollout.model_copy(update={"hold": None, "trouble": None})
    if not rollout.ready:
        preparing = entered(free, Phase.PREPARING, now, asked=None, wanted=rollout.observed)
        return Decision(with_rollout(head, preparing), why)
    if asking and rollout.asked and rollout.observed == goal(rollout):
        deadline = rollout.asked.deadline + (now - rollout.phase_since)
        asked = rollout.asked.model_copy(update={"deadline": deadline})
        return Decision(with_rollout(head, entered(free, Phase.APPROVING, now, asked=asked)), why)
    return go_on(head, free.model_copy(update={"asked": None}), now, why)


def go_on(head: Head, rollout: Rollout, now: datetime, why: str) -> Decision:
    """Do what the present stage needs: ask for its map, or begin when it is seen already.

    What gives the canary more waits for the end of a freeze; a stage waits for its hooks.
    """
    wish = goal(rollout)
    there = rollout.observed == wish and not _may_still_land(rollout, wish)
    step = wish if there else rollout.observed.on_the_way_to(wish, rollout.canary)
    frost = rollout.frost(now)
    if frost and not there and is_up(rollout, step):
        return _until_thaw(head, rollout, frost, now, why)
    hook = hooks.next_question(rollout)
    if hook:
        return hooks.ask(head, rollout, hook, now, why)
    begun = hooks.begun(rollout)
    if there:
        settled = begun.model_copy(update={"wanted": wish, "hold": None})
        return _ARRIVALS[rollout.here.kind](head, settled, now, why)
    return ask_for(head, begun, step, now, why)


def is_up(rollout: Rollout, step: Traffic) -> bool:
    """Whether more requests would reach the canary, or copies of them."""
    canary, now = rollout.canary, rollout.observed
    more = step.share(canary) > now.share(canary)
    return more or step.mirror.get(canary, 0) > now.mirror.get(canary, 0)


def _until_thaw(head: Head, rollout: Rollout, frost: Frost, now: datetime, why: str) -> Decision:
    """Wait where it stands, its guards still on; the first look after the freeze goes on."""
    told = f"{why}; {frost}"
    return hold(head, rollout, HoldCause.FROZEN, told, now, (frost.until - now, None))


def _may_still_land(rollout: Rollout, wish: Traffic) -> bool:
    """Whether another map is on its way: then the one that stands is asked for, until it stays."""
    return rollout.phase is Phase.SHIFTING and rollout.wanted not in (wish, rollout.observed)


def ask_for(head: Head, rollout: Rollout, wish: Traffic, now: datetime, why: str) -> Decision:
    """Ask for a map; it is done when a look shows it.

    `before` is the map asked for until now: it may still land, and is no foreign change.
    """
    again = rollout.phase is Phase.SHIFTING and rollout.wanted == wish
    asked = entered(
        rollout,
        Phase.SHIFTING,
        rollout.phase_since if again else now,
        before=rollout.before if again else rollout.wanted,
        wanted=wish,
        hold=None,
        asked_at=now,
        asked_times=rollout.asked_times + 1 if again else 1,
        operation=None,
        clock=rollout.clock.stopped(now),
    )
    action = SetTraffic(
        endpoint=rollout.endpoint,
        traffic=wish,
        expect=rollout.observed,
        canary=rollout.canary,
        way_back=rollout.way_back,
    )
    return Decision(with_rollout(head, asked), why, (action,))


def question(rollout: Rollout, text: str, asking: Approval, now: datetime) -> Asked:
    """A question to people, with a deadline and what happens then."""
    return Asked(
        question=text,
        by=asking.by,
        groups=asking.groups,
        quorum=asking.quorum,
        deadline=now + asking.deadline_minutes * rollout.minute,
        then=asking.then,
    )


def ask_people(head: Head, rollout: Rollout, asked: Asked, now: datetime, why: str) -> Decision:
    """Put a question to people, and wait with the stage's clock stopped."""
    clock = rollout.clock.stopped(now)
    waiting = entered(rollout, Phase.APPROVING, now, asked=asked, hold=None, clock=clock)
    return Decision(with_rollout(head, waiting), why)


def _run_smoke(head: Head, rollout: Rollout, now: datetime, why: str) -> Decision:
    stage = rollout.here
    assert isinstance(stage, Smoke), stage
    action = RunSmoke(endpoint=rollout.endpoint, deployment=rollout.canary, requests=stage.requests)
    return Decision(with_rollout(head, entered(rollout, Phase.SMOKING, now)), why, (action,))


def _measure(head: Head, rollout: Rollout, now: datetime, why: str) -> Decision:
    """The share is seen: from here on the stage's time runs."""
    seen, shares = _share(rollout, now), rollout.shares
    if rollout.share_since is None or not shares or shares[-1].percent != seen.percent:
        shares = (*shares, seen)[-SHARES_MAX:]
    measuring = entered(
        rollout,
        Phase.MEASURING,
        now,
        clock=rollout.clock.started(now),
        share_since=rollout.share_since or now,
        shares=shares,
        operation=None,
        trouble=None,
        asked_times=0,
    )
    return Decision(with_rollout(head, measuring), why)


def _share(rollout: Rollout, now: datetime) -> Share:
    canary, seen = rollout.canary, rollout.observed
    percent = seen.live.get(canary) or seen.mirror.get(canary, 0)
    return Share(since=now, percent=percent, stage=str(rollout.here))


def _ask_approval(head: Head, rollout: Rollout, now: datetime, why: str) -> Decision:
    stage = rollout.here
    assert isinstance(stage, Approval), stage
    ahead = rollout.stages[rollout.stage + 1 :]
    text = f"go on to {ahead[0]}?" if ahead else f"is {rollout.canary} to stay?"
    return ask_people(head, rollout, question(rollout, text, stage, now), now, why)


def _retire(head: Head, rollout: Rollout, now: datetime, why: str) -> Decision:
    stage = rollout.here
    assert isinstance(stage, Retire), stage
    fate = _fate(rollout, stage)
    if fate is None:
        return next_stage(head, rollout, now, f"{why}; the old baseline is kept")
    return Decision(with_rollout(head, entered(rollout, Phase.RETIRING, now)), why, (fate,))


def _fate(rollout: Rollout, stage: Retire) -> Action | None:
    if rollout.baseline is None:
        return None
    where = {"endpoint": rollout.endpoint, "deployment": rollout.baseline}
    if stage.baseline == "delete":
        return DeleteDeployment.model_validate(where)
    if stage.scale_to is not None:
        return ScaleDeployment.model_validate({**where, "instances": stage.scale_to})
    return None


def _promoted(head: Head, rollout: Rollout, now: datetime, why: str) -> Decision:
    share = rollout.observed.share(rollout.canary)
    sentence = f"{why}; {rollout.canary} serves {share} % and the rollout is over"
    return Decision(with_rollout(head, entered(rollout, Phase.PROMOTED, now)), sentence)


_Arrival = Callable[[Head, Rollout, datetime, str], Decision]
_ARRIVALS: Mapping[Kind, _Arrival] = {
    Kind.SMOKE: _run_smoke,
    Kind.MIRROR: _measure,
    Kind.CANARY: _measure,
    Kind.BAKE: _measure,
    Kind.APPROVAL: _ask_approval,
    Kind.RETIRE: _retire,
}
