"""The fate of the old baseline: looked for until it is seen."""

from datetime import datetime

from rollout.core.events import Looked
from rollout.core.head import Head
from rollout.core.machine.decision import Decision, hold, stay
from rollout.core.machine.stages import next_stage
from rollout.core.rollout import HoldCause, Rollout


def retired(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """The old baseline is gone, or has the size it was given."""
    stage = rollout.here
    view = event.view.deployments.get(rollout.baseline or "")
    scale_to = getattr(stage, "scale_to", None)
    if view is not None and not (view.state.settled and view.instances == scale_to):
        limit = rollout.policy.ready_within_minutes
        if now < rollout.phase_since + limit * rollout.minute:
            return stay(head, rollout, f"{rollout.baseline} is {view.state}")
        why = f"{rollout.baseline} was not retired within {limit} minutes: it is {view.state}"
        return hold(head, rollout, HoldCause.REFUSED, why, now)
    fate = f"scaled to {scale_to}" if view else "deleted"
    return next_stage(head, rollout, now, f"{rollout.baseline} is {fate}")
