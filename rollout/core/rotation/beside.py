"""What a rotation and a rollout on the same endpoint owe each other."""

from rollout.core.actions import Action, SetTraffic
from rollout.core.events import Beginning, Event
from rollout.core.head import Head
from rollout.core.rollout import Phase

_STANDS_STILL = frozenset({Phase.HOLDING, Phase.APPROVING})
_ASKS_AZURE = frozenset({Phase.SHIFTING, Phase.RETIRING, Phase.ROLLING_BACK})
"""A regeneration makes Azure busy: in these phases the rollout's own request goes first."""


def rollout_in_the_way(head: Head, *, forced: bool) -> str | None:
    """Why no key may be regenerated now; None where nothing speaks against it."""
    rollout = head.rollout
    if any(isinstance(debt.action, SetTraffic) for debt in head.owed):
        return "for the traffic map that is being asked for"
    if rollout is None or rollout.over or rollout.phase in _STANDS_STILL:
        return None
    if forced and rollout.phase not in _ASKS_AZURE:
        return None
    remedy = "" if forced else "; --forced goes on between its steps"
    return f"for {rollout.id}, which is {rollout.phase.value.replace('_', ' ')}{remedy}"


def key_in_the_way(head: Head) -> str | None:
    """Why nothing may be shifted and no rollout begin now: a key is being regenerated."""
    rotation = head.rotation
    if rotation is None or not rotation.regenerating or rotation.renewal is None:
        return None
    return f"waits until the {rotation.renewal.key} key is regenerated ({rotation.id})"


def waits_for_key(head: Head, action: Action) -> str | None:
    """Why an owed action has to wait for a key; a way back waits for nothing."""
    shifts = isinstance(action, SetTraffic) and not action.is_rollback
    return key_in_the_way(head) if shifts else None


def is_held_up(head: Head, event: Event) -> str | None:
    """Why a beginning has to wait in the queue for a key."""
    return key_in_the_way(head) if isinstance(event, Beginning) and not head.live else None
