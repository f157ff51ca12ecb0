"""What others did to the endpoint while a rollout was on its way."""

from datetime import datetime, timedelta

from rollout.core.actions import SetTraffic
from rollout.core.endpoint import DeploymentView, Provisioning
from rollout.core.events import Looked
from rollout.core.head import Head
from rollout.core.machine import back
from rollout.core.machine.decision import Decision, hold, stay, with_rollout
from rollout.core.machine.stages import enter_stage, go_on, goal, is_up
from rollout.core.rollout import HoldCause, Outcome, Phase, Rollout, StageClock
from rollout.core.traffic import Traffic

STALE = timedelta(seconds=60)
"""So long a GET may still show the map before our last write (azd re-reads for half a minute)."""


def with_map(rollout: Rollout, traffic: Traffic) -> Rollout:
    return rollout.model_copy(update={"observed": traffic})


def without_share(rollout: Rollout, traffic: Traffic) -> Rollout:
    """Another map stands: what the stage saw and how long it lasted counts no more."""
    lost = {"share_since": None, "clock": StageClock()}
    return with_map(rollout, traffic).model_copy(update=lost)


def canary_gone(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    canary = canary_seen(rollout, event)
    if canary is None and rollout.awaited:
        return None
    if canary is None:
        return back.roll_back(head, rollout, f"{rollout.canary} is gone from the endpoint", now)
    if canary.state is Provisioning.FAILED:
        return back.roll_back(head, rollout, f"Azure says that {rollout.canary} has failed", now)
    return None


def aborted(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """The traffic was given back without a word in the store: agree, and say by whom."""
    mark = event.view.aborted
    if mark is None or mark.rollout_id != rollout.id:
        return None
    if mark.event_id:
        head = head.remembering(mark.event_id)
    found = event.view.traffic
    seen = with_map(rollout, found)
    if found.live and not found.reaches(rollout.canary):  # the map a person chose is left alone
        seen = seen.model_copy(update={"recorded": found})
    if mark.who == back.CONTROLLER:
        why = f"rolled back at Azure when nothing could be saved: {mark.why}"
        return back.roll_back(head, seen, why, now)
    why = f"aborted at Azure by {mark.who}" + (f": {mark.why}" if mark.why else "")
    return back.roll_back(head, seen, why, now, Outcome.ABORTED, mark.who)


def foreign_map(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """Someone else changed the traffic; a stale answer that shows our last map is no change."""
    found = event.view.traffic
    ours = {str(rollout.wanted)}
    if rollout.phase is Phase.SHIFTING or _still_settling(rollout, now):
        ours |= {str(rollout.before), str(rollout.observed)}
    held = rollout.hold
    if str(found) in ours:
        return None
    if held and found == rollout.observed:  # our own write was withdrawn before it was sent
        return None
    if _landed_late(rollout, found, now):
        why = f"{found} landed after {rollout.wanted} was asked for; asked again"
        return go_on(head, with_map(rollout, found), now, why)
    return foreign_change(head, rollout, found, now)


def _landed_late(rollout: Rollout, found: Traffic, now: datetime) -> bool:
    """Our own write of before, from which the wanted map has gone down: it may land for minutes."""
    late = back.WATCH_MINUTES * rollout.minute
    if rollout.hold or rollout.asked_at is None or now - rollout.asked_at > late:
        return False
    down = found.share(rollout.canary) > rollout.wanted.share(rollout.canary)
    return found == rollout.before and down


def _still_settling(rollout: Rollout, now: datetime) -> bool:
    return rollout.asked_at is not None and now - rollout.asked_at < STALE


def foreign_change(head: Head, rollout: Rollout, found: Traffic, now: datetime) -> Decision:
    """Do what the policy says of a map that nobody here asked for."""
    why = f"someone else set the traffic to {found}; this rollout wants {rollout.wanted}"
    seen = with_map(rollout, found)
    if rollout.policy.on_foreign_change == "roll_back":
        return back.roll_back(head, seen, why, now)
    if rollout.policy.on_foreign_change == "adopt" and _adoptable(rollout, found):
        return _adopt(head, seen, now, f"{why}; adopted as the policy says")
    held = rollout.hold
    waits = held is not None and held.cause is not HoldCause.NO_DATA  # for a person: so it stays
    cause = held.cause if held and waits else HoldCause.FOREIGN_CHANGE
    return hold(head, without_share(rollout, found), cause, why, now)


def _adoptable(rollout: Rollout, found: Traffic) -> bool:
    """Whether there is still something to compare with, and nobody else's traffic to take."""
    if rollout.baseline is None:
        return set(found.live) <= {rollout.canary}
    if found == rollout.recorded:  # a person gave the traffic back by hand
        return False
    return found.share(rollout.baseline) > 0 and not rollout.proven


def _adopt(head: Head, rollout: Rollout, now: datetime, why: str) -> Decision:
    """The others keep the shares they were given; the canary gets its stage's weight again."""
    found, baseline = rollout.observed, rollout.baseline
    recorded = found.with_canary(rollout.canary, baseline, 0) if baseline else rollout.recorded
    adopted = rollout.model_copy(update={"recorded": recorded, "wanted": found})
    if found == goal(adopted):
        return stay(head, adopted, why)
    anew = without_share(adopted, found)
    waits = rollout.phase in {Phase.PREPARING, Phase.HOLDING}
    return stay(head, anew, why) if waits else go_on(head, anew, now, why)


def canary_changed(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    canary = canary_seen(rollout, event)
    known = rollout.fingerprints.get(rollout.canary)
    if canary is None or known in {None, canary.fingerprint}:
        return None
    why = f"{rollout.canary} was changed under its name"
    prints = {**rollout.fingerprints, rollout.canary: canary.fingerprint}
    anew = rollout.model_copy(
        update={"fingerprints": prints, "evidence_since": now, "report": None}
    )
    if rollout.policy.on_changed_in_place == "roll_back":
        return back.roll_back(head, anew, why, now)
    lost = f"{why}; its evidence is lost"
    if rollout.hold and rollout.hold.cause in _FOR_A_PERSON:
        return _back_to_first(head, anew, now, f"{lost}. Still held: {rollout.hold.why}")
    return enter_stage(head, anew, 0, now, f"{lost}, it starts again")


_FOR_A_PERSON = frozenset(HoldCause) - {
    HoldCause.NO_DATA,
    HoldCause.INCONCLUSIVE,
    HoldCause.NOT_MEASURED,
    HoldCause.CAPACITY,
}


def _back_to_first(head: Head, rollout: Rollout, now: datetime, why: str) -> Decision:
    """Held as before, but at the first stage: a person who goes on starts it from there.

    The share goes down to that stage's at once, unless the map that stands is someone else's; up it
    goes when the person lets it.
    """
    held = rollout.hold
    assert held is not None, rollout.phase
    begun = enter_stage(head, rollout, 0, now, why)
    first = begun.head.rollout
    assert first is not None, why
    kept = held.model_copy(update={"why": why, "during": Phase.SHIFTING})
    since = {"phase": Phase.HOLDING, "phase_since": rollout.phase_since, "hold": kept}
    stays = first.model_copy(update={**since, "clock": StageClock()})
    asked = [one for one in begun.actions if isinstance(one, SetTraffic)]
    if rollout.observed != rollout.wanted or any(is_up(rollout, one.traffic) for one in asked):
        kept_map = {"wanted": rollout.wanted, "before": rollout.before}
        return Decision(with_rollout(begun.head, stays.model_copy(update=kept_map)), why)
    return Decision(with_rollout(begun.head, stays), why, tuple(asked))


def baseline_changed(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    baseline = event.view.deployments.get(rollout.baseline) if rollout.baseline else None
    known = rollout.fingerprints.get(rollout.baseline) if rollout.baseline else None
    if known is None or (baseline and baseline.fingerprint == known):
        return None
    prints = {name: known for name, known in rollout.fingerprints.items() if name == rollout.canary}
    if baseline is None:  # said once: a person who goes on knows it
        alone = rollout.model_copy(update={"fingerprints": prints})
        return hold(head, alone, HoldCause.BASELINE_CHANGED, f"{rollout.baseline} is gone", now)
    prints[baseline.name] = baseline.fingerprint
    anew = {"fingerprints": prints, "evidence_since": now, "clock": StageClock(), "report": None}
    why = f"the baseline {baseline.name} was changed under its name; evidence starts again"
    kept = rollout.model_copy(update=anew)
    return hold(head, kept, HoldCause.BASELINE_CHANGED, why, now)


def canary_seen(rollout: Rollout, event: Looked) -> DeploymentView | None:
    return event.view.deployments.get(rollout.canary)
