"""The one way in: an endpoint's state, an event and the time make a decision."""

from datetime import datetime, timedelta

from rollout.core.events import Event
from rollout.core.head import Head
from rollout.core.machine.back import watched_until
from rollout.core.machine.decision import Decision, refuse
from rollout.core.machine.table import TRANSITIONS
from rollout.core.rollout import Phase, Rollout

_POLL_MAX = timedelta(seconds=5)
_POLLED = frozenset({Phase.PREPARING, Phase.SHIFTING, Phase.RETIRING, Phase.ROLLING_BACK})


def decide(head: Head, event: Event, now: datetime) -> Decision:
    """Answer one event. Late and repeated events are normal, and change nothing."""
    answer = TRANSITIONS[head.phase][type(event)]
    if isinstance(answer, str):
        return refuse(head, answer)
    decision = answer(head, event, now)
    assert decision.head.phase in (*answer.to, head.phase), (head.phase, event, decision)
    return decision


def next_look(head: Head, now: datetime) -> datetime | None:
    """When the world is to be looked at again; None: not before something happens."""
    rollout = head.rollout
    if rollout is None:
        return None
    if rollout.over:
        watching = _while_watched(rollout, now)
        return watching or (now if head.queued else None)
    if rollout.phase in _POLLED:
        return now + min(_POLL_MAX, rollout.minute)
    return now + rollout.minute


def is_turn_of_queued(head: Head, now: datetime) -> bool:
    """Whether what waits may begin: nothing is live, and the watch after a rollback is over."""
    rollout = head.rollout
    if head.live or head.queued is None or rollout is None:
        return False
    return _while_watched(rollout, now) is None


def _while_watched(rollout: Rollout, now: datetime) -> datetime | None:
    if rollout.phase is not Phase.ROLLED_BACK:
        return None
    until = watched_until(rollout)
    return now + rollout.minute if until and now < until else None
