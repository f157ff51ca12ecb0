"""The answer to one event about keys, and the steps that all moves share."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rollout.core.head import Head
from rollout.core.rotation.actions import AnyKeyAction
from rollout.core.rotation.state import Rotation, RotationPhase

SOON = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class KeyDecision:
    """What the row becomes, the one thing to do, and why in one sentence.

    `taken` is False where the event changes nothing: it came late, or is refused.
    """

    head: Head
    why: str
    action: AnyKeyAction | None = None
    taken: bool = True


def refuse(head: Head, why: str) -> KeyDecision:
    return KeyDecision(head, why, taken=False)


def put(
    head: Head, rotation: Rotation, why: str, action: AnyKeyAction | None = None
) -> KeyDecision:
    return KeyDecision(head.model_copy(update={"rotation": rotation}), why, action)


def entered(rotation: Rotation, phase: RotationPhase, now: datetime, **changes: Any) -> Rotation:  # noqa: ANN401
    """The rotation in another phase, which looks at once unless it is over."""
    over = rotation.model_copy(update={"phase": phase}).over
    fresh = {
        "phase": phase,
        "phase_since": now,
        "due_at": None if over else now,
        "acted_at": None,
        "passed": 0,
        "failures": 0,
        "waits": "",
        "trouble": None,
        "during": None,
        "gone_since": None,
    }
    return rotation.model_copy(update={**fresh, **changes})


def until(
    head: Head,
    rotation: Rotation,
    at: datetime,
    waits: str,
    **changes: Any,  # noqa: ANN401
) -> KeyDecision:
    """Stay, and look again at that time."""
    waiting = {"due_at": at, "waits": waits, "gone_since": None, **changes}
    return put(head, rotation.model_copy(update=waiting), f"waits {waits}")


def ask(head: Head, rotation: Rotation, why: str, now: datetime) -> KeyDecision:
    """Stop, and ask a person; what was interrupted stays known."""
    during = rotation.during or rotation.phase
    asking = entered(rotation, RotationPhase.ASKING, now, during=during, due_at=None, trouble=why)
    return put(head, asking, why)
