"""What a freeze keeps from going on, and what goes on when it is over."""

from datetime import datetime

from rollout.core.events import Looked
from rollout.core.freeze import Frost
from rollout.core.head import Head
from rollout.core.machine.decision import Decision
from rollout.core.machine.onward import next_index
from rollout.core.machine.stages import carry_on
from rollout.core.policy import Bake, Canary, Mirror
from rollout.core.rollout import HoldCause, Rollout


def frost_ahead(rollout: Rollout, event: Looked, now: datetime) -> Frost | None:
    """The freeze of now, where the next stage would give the canary traffic."""
    ahead = rollout.stages[next_index(rollout, event) :]
    shares = bool(ahead) and isinstance(ahead[0], Mirror | Canary | Bake)
    return rollout.frost(now) if shares else None


def thawed(head: Head, rollout: Rollout, _event: Looked, now: datetime) -> Decision | None:
    held = rollout.hold
    if held is None or held.cause is not HoldCause.FROZEN or rollout.frost(now):
        return None
    return carry_on(head, rollout, now, "the freeze is over")
