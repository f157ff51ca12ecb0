"""Where a stage that has passed leads: whether there is room, and how far the budget allows."""

from datetime import datetime

from rollout.analysis import pace
from rollout.analysis.capacity import Room, capacity
from rollout.analysis.report import Finding, Metric
from rollout.core.actions import ScaleDeployment
from rollout.core.events import Looked
from rollout.core.head import Head
from rollout.core.machine.decision import Decision, hold, stay, with_rollout
from rollout.core.machine.stages import enter_stage
from rollout.core.policy import Bake, Canary, Mirror
from rollout.core.rollout import HoldCause, Rollout


def onward(head: Head, rollout: Rollout, event: Looked, now: datetime, why: str) -> Decision:
    """The next stage; or a hold, or more instances, where there is no room for its share."""
    index = next_index(rollout, event)
    lacking = _lacking(head, rollout, event, index, now)
    return lacking or enter_stage(head, rollout, index, now, why)


def may_pass(rollout: Rollout, event: Looked) -> bool:
    """Whether every guard that counts passes, and the budget has room for what is next."""
    report = event.report
    passes = report is not None and bool(report.counting) and not report.open
    return passes and not over_budget(rollout, event)


# -- pace -----------------------------------------------------------------------------------------


def next_index(rollout: Rollout, event: Looked) -> int:
    """The next stage as written; or, in adaptive pace, the largest weight within the budget."""
    limit, ahead = _limit(rollout, event), _weights_ahead(rollout)
    fits = [index for index, weight in ahead if limit is not None and weight <= limit]
    return fits[-1] if fits else rollout.stage + 1


def over_budget(rollout: Rollout, event: Looked) -> str | None:
    """Why the next weight is to wait, in adaptive pace; None: it need not."""
    limit, ahead = _limit(rollout, event), _weights_ahead(rollout)
    if limit is None or not ahead or ahead[0][1] <= limit:
        return None
    return f"the budget of failed requests allows {limit} %, and {ahead[0][1]} % is next"


def _limit(rollout: Rollout, event: Looked) -> int | None:
    """The largest share whose worst failures until they are noticed are within the budget."""
    if rollout.policy.pace == "fixed" or event.load is None:
        return None
    return pace.allowed(seen(rollout, event), budget(rollout))


def budget(rollout: Rollout) -> pace.Budget:
    return pace.Budget(**rollout.policy.budget.model_dump())


def _weights_ahead(rollout: Rollout) -> list[tuple[int, int]]:
    """The weights that follow, up to the first stage that is not one, or that asks hooks."""
    ahead = []
    for index, stage in enumerate(rollout.stages[rollout.stage + 1 :], rollout.stage + 1):
        if not isinstance(stage, Canary):
            break
        ahead.append((index, stage.weight))
        if any(hook.confirm for hook in stage.hooks):
            break  # its hooks have a word to say: it is not passed over
    return ahead


def seen(rollout: Rollout, event: Looked) -> pace.Seen:
    """What the budget of failed requests is reckoned from."""
    assert event.load is not None, event
    errors = _error_finding(event)
    evidence = errors.evidence if errors else None
    bound = evidence.excess_bound if evidence else None
    return pace.Seen(
        share=rollout.observed.share(rollout.canary),
        requests_per_minute=event.load.requests_per_second * rollout.minute.total_seconds(),
        lag_minutes=round(event.lag / rollout.minute),
        excess_bound=1.0 if bound is None else bound,
    )


def _error_finding(event: Looked) -> Finding | None:
    findings = event.report.findings if event.report else ()
    return next((one for one in findings if one.guard.metric is Metric.ERROR_RATE), None)


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
    index = next_index(rollout, event)
    found = room(rollout, event, index)
    if found is None or not found.enough:
        return None
    return enter_stage(head, rollout, index, now, found.sentence)
