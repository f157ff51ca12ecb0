"""The answer to one event."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rollout.core.actions import Action
from rollout.core.head import Head
from rollout.core.rollout import Hold as HoldState
from rollout.core.rollout import HoldCause, Phase, Rollout


@dataclass(frozen=True, slots=True)
class Decision:
    """What an endpoint's state becomes, what is to be done, and why in one sentence.

    `taken` is False where the event changes nothing: it came late, or is refused. `live` tells
    whether a rollout was live when it was decided; with `repeated` that was at an earlier time.
    """

    head: Head
    why: str
    actions: tuple[Action, ...] = ()
    taken: bool = True
    repeated: bool = False
    refused_live: bool | None = None

    @property
    def live(self) -> bool:
        return self.head.live if self.refused_live is None else self.refused_live


def refuse(head: Head, why: str) -> Decision:
    """Turn an event away: nothing changes."""
    return Decision(head, why, taken=False)


def stay(head: Head, rollout: Rollout, why: str) -> Decision:
    """Keep the phase; what was seen is kept."""
    return Decision(with_rollout(head, rollout), why)


def with_rollout(head: Head, rollout: Rollout) -> Head:
    return head.model_copy(update={"rollout": rollout})


def entered(rollout: Rollout, phase: Phase, now: datetime, **changes: Any) -> Rollout:  # noqa: ANN401
    """The rollout in another phase, with what changes along with it."""
    return rollout.model_copy(update={"phase": phase, "phase_since": now, **changes})


def hold(
    head: Head,
    rollout: Rollout,
    cause: HoldCause,
    why: str,
    now: datetime,
    then: tuple[timedelta, Any] | None = None,
) -> Decision:
    """Stand still where we are, with the stage's clock stopped; `then`: the way out, and when.

    A hold may follow another: the phase goes on, and what it interrupted stays known.
    """
    during = rollout.hold.during if rollout.hold else rollout.phase
    until, way = (now + then[0], then[1]) if then else (None, None)
    held = HoldState(cause=cause, why=why, since=now, during=during, until=until, then=way)
    since = rollout.phase_since if rollout.phase is Phase.HOLDING else now
    clock = rollout.clock.stopped(now)
    return stay(head, entered(rollout, Phase.HOLDING, since, hold=held, clock=clock), why)
