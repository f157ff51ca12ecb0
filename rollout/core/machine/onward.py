"""Where a stage that has passed leads: how far the pace goes, and whether there is room."""

from datetime import datetime

from rollout.analysis import pace
from rollout.analysis.capacity import Room, capacity
from rollout.analysis.report import Evidence, Finding, Metric
from rollout.analysis.threshold import WARNING
from rollout.core.actions import ScaleDeployment
from rollout.core.events import Looked
from rollout.core.head import Head
from rollout.core.machine.decision import Decision, hold, stay, with_rollout
from rollout.core.machine.stages import carry_on, enter_stage
from rollout.core.policy import Bake, Canary, Mirror
from rollout.core.rollout import HoldCause, Paced, Rollout


def onward(head: Head, rollout: Rollout, event: Looked, now: datetime, why: str) -> Decision:
    """The next stage; or a hold, or more instances, where there is no room for its share."""
    index = next_index(rollout, event)
    lacking = _lacking(head, rollout, event, index, now)
    return lacking or enter_stage(head, rollout, index, now, _and_no_further(rollout, event, why))


def as_written(head: Head, rollout: Rollout, event: Looked, now: datetime, why: str) -> Decision:
    """The next stage, whatever the pace says; but not without room for its share."""
    index = rollout.stage + 1
    return _lacking(head, rollout, event, index, now) or enter_stage(head, rollout, index, now, why)


def may_pass(rollout: Rollout, event: Looked) -> bool:
    """Whether every guard that counts passes, and the pace lets it have what is next."""
    return _passes(event) and held_back(rollout, event) is None


def waits_for_pace(rollout: Rollout, event: Looked) -> Paced | None:
    """What the pace waits for though every guard that counts passes; None: it is not the pace."""
    return held_back(rollout, event) if _passes(event) else None


def _passes(event: Looked) -> bool:
    report = event.report
    return report is not None and bool(report.counting) and not report.open


# -- pace -----------------------------------------------------------------------------------------


def next_index(rollout: Rollout, event: Looked) -> int:
    """The next stage as written; or, in adaptive pace, as far among the weights as it goes."""
    paced = _pace(rollout, event)
    return rollout.stage + max(1, paced.steps if paced else 1)


def held_back(rollout: Rollout, event: Looked) -> Paced | None:
    """What keeps it from the next weight, in adaptive pace; None: nothing does."""
    paced = _pace(rollout, event)
    if paced is None or paced.steps or paced.rule is None:
        return None
    return Paced(rule=paced.rule, why=paced.because)


def _and_no_further(rollout: Rollout, event: Looked, why: str) -> str:
    paced = _pace(rollout, event)
    return f"{why}; no further, since {paced.because}" if paced and paced.because else why


def _pace(rollout: Rollout, event: Looked) -> pace.Pace | None:
    """None where a stage follows that gives no share, or the policy's pace is fixed."""
    ahead = _shares_ahead(rollout)
    if rollout.policy.pace == "fixed" or not ahead:
        return None
    if event.load is None:  # unknown: nothing is passed over
        ahead = ahead[:1]
    return pace.next_step(seen(rollout, event), ahead, budget(rollout))


def budget(rollout: Rollout) -> pace.Budget:
    return pace.Budget(**rollout.policy.budget.model_dump())


def _shares_ahead(rollout: Rollout) -> list[int]:
    """The shares that follow, up to the first stage that gives none, or that asks hooks.

    All traffic is never passed on to: it is there only where it is next.
    """
    stages = rollout.stages[rollout.stage + 1 :]
    if stages and isinstance(stages[0], Bake):
        return [live_share(rollout, 100)]
    ahead = []
    for stage in stages:
        if not isinstance(stage, Canary):
            break
        ahead.append(live_share(rollout, stage.weight))
        if any(hook.confirm for hook in stage.hooks):
            break  # its hooks have a word to say: it is not passed over
    return ahead


def seen(rollout: Rollout, event: Looked) -> pace.Seen:
    """What the pace is reckoned from."""
    evidence = _of_errors(event)
    bound = _bound(evidence) if evidence else None
    load = event.load.requests_per_second if event.load else 0.0
    return pace.Seen(
        share=rollout.observed.share(rollout.canary),
        requests_per_minute=load * rollout.minute.total_seconds(),
        lag_minutes=round(event.lag / rollout.minute),
        excess_bound=1.0 if bound is None else bound,
        ln_e=max((one.evidence.ln_e for one in warned(event) if one.evidence), default=0.0),
        usual_rate=(evidence.usual_rate if evidence else None) or 0.0,
        minutes_read=rollout.clock.measured_for / rollout.minute,
    )


def warned(event: Looked) -> list[Finding]:
    """The findings that count whose evidence is a warning."""
    counting = event.report.counting if event.report else ()
    return [one for one in counting if one.evidence and one.evidence.ln_e >= WARNING]


def _of_errors(event: Looked) -> Evidence | None:
    """The evidence on error rates that bounds them; a guard that compares nothing has none."""
    findings = event.report.findings if event.report else ()
    errors = [one.evidence for one in findings if one.guard.metric is Metric.ERROR_RATE]
    return next((one for one in errors if one and _bound(one) is not None), None)


def _bound(evidence: Evidence) -> float | None:
    """By the whole trial, where that was asked for."""
    so_far = evidence.excess_bound_so_far
    return evidence.excess_bound if so_far is None else so_far


# -- room -----------------------------------------------------------------------------------------


def room(rollout: Rollout, event: Looked, index: int) -> Room | None:
    """Whether the canary's instances can take the share of that stage; None: not known."""
    return room_for(rollout, event, _share(rollout, index))


def room_for(rollout: Rollout, event: Looked, share: int) -> Room | None:
    """The same for a share in percent."""
    view = event.view.deployments.get(rollout.canary)
    if rollout.policy.capacity == "ignore" or event.load is None or view is None or not share:
        return None
    return capacity(event.load, view.instances, max(1, view.concurrency), share)


def _share(rollout: Rollout, index: int) -> int:
    """The canary's part of the endpoint's requests in that stage, in percent."""
    stage = rollout.stages[index] if index < len(rollout.stages) else None
    match stage:
        case Mirror(percent=percent):
            return percent
        case Canary(weight=weight):
            return live_share(rollout, weight)
        case Bake():
            return live_share(rollout, 100)
        case _:
            return 0


def live_share(rollout: Rollout, weight: int) -> int:
    """The part of the endpoint's requests that a weight means, in percent."""
    shifted = rollout.recorded.with_canary(rollout.canary, rollout.baseline, weight)
    return shifted.share(rollout.canary)


def _lacking(
    head: Head, rollout: Rollout, event: Looked, index: int, now: datetime
) -> Decision | None:
    found = room(rollout, event, index)
    if found is None or found.enough:
        return None
    if rollout.policy.capacity == "scale":
        return scale_for(head, rollout, event, found)
    command = rollout.endpoint.az_command("update", rollout.canary)
    why = f"{found.sentence}. Run: {command} --set instance_count={found.needed}"
    return hold(head, rollout, HoldCause.CAPACITY, why, now)


def scale_for(head: Head, rollout: Rollout, event: Looked, found: Room) -> Decision:
    """Ask for the instances once, and wait until they are there."""
    canary = event.view.deployments[rollout.canary]
    asked = any(debt.action.type == "scale_deployment" for debt in head.owed)
    if asked or not canary.state.settled:
        return stay(head, rollout, f"{found.sentence}; {canary.name} is being scaled")
    action = ScaleDeployment(
        endpoint=rollout.endpoint, deployment=canary.name, instances=found.needed
    )
    return Decision(with_rollout(head, rollout), f"{found.sentence}; scaled first", (action,))


def room_has_come(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """Held for want of instances: on with the next stage when they are there."""
    held = rollout.hold
    if held is None or held.cause is not HoldCause.CAPACITY:
        return None
    if paced := held_back(rollout, event):
        return carry_on(head, rollout, now, f"{rollout.here}: {paced.why}")
    index = next_index(rollout, event)
    found = room(rollout, event, index)
    if found is None or not found.enough:
        return None
    if not may_pass(rollout, event):  # its guards are asked again; what waited for them waits
        return carry_on(head, rollout, now, found.sentence)
    return enter_stage(head, rollout, index, now, found.sentence)
