"""The one way in: an endpoint's state, an event and the time make a decision."""

from datetime import datetime, timedelta

from rollout.core.events import Beginning, Command, Event
from rollout.core.head import Head
from rollout.core.machine.back import watched_until
from rollout.core.machine.decision import Decision, refuse
from rollout.core.machine.repeats import forgotten
from rollout.core.machine.table import TRANSITIONS
from rollout.core.rollout import Phase, Rollout
from rollout.core.rotation.beside import is_held_up, key_in_the_way

WAITS_FOR_KEY = timedelta(seconds=2)
_BACK = timedelta(seconds=5)
_WAITING = frozenset({Phase.PREPARING, Phase.SHIFTING, Phase.RETIRING})


def decide(head: Head, event: Event, now: datetime) -> Decision:
    """Answer one event. Late and repeated events are normal, and change nothing."""
    if why := _meant_for_another(head, event):
        return refuse(head, why)
    if why := forgotten(head, event):
        return refuse(head, why)
    if why := is_held_up(head, event):
        return _queued(head, event, why, now)
    answer = TRANSITIONS[head.phase][type(event)]
    if isinstance(answer, str):
        return refuse(head, answer)
    decision = answer(head, event, now)
    assert decision.head.phase in (*answer.to, head.phase), (head.phase, event, decision)
    return decision


def _meant_for_another(head: Head, event: Event) -> str | None:
    """Why a command means nothing here: it was for a rollout that was there when it was sent."""
    if not isinstance(event, Command) or event.rollout_id is None:
        return None
    latest = head.rollout.id if head.rollout else "none"
    if latest == event.rollout_id:
        return None
    return f"{event.rollout_id} is over; the endpoint's latest rollout is {latest}"


def _queued(head: Head, event: Event, why: str, now: datetime) -> Decision:
    """A beginning that nothing else speaks against waits for its turn."""
    assert isinstance(event, Beginning), event
    begun = TRANSITIONS[head.phase][type(event)]
    if isinstance(begun, str):
        return refuse(head, begun)
    now_if_it_could = begun(head, event, now)
    if not now_if_it_could.taken:
        return now_if_it_could
    queued = head.model_copy(update={"queued": event.order, "queued_until": None})
    return Decision(queued, f"{event.order.deployment} {why}")


def next_look(head: Head, now: datetime) -> datetime | None:
    """When the world is to be looked at again; None: not before something happens."""
    rollout = head.rollout
    if rollout is None or rollout.over:
        watching = _while_watched(rollout, now) if rollout else None
        turn = now + WAITS_FOR_KEY if key_in_the_way(head) else now
        return watching or (max(turn, head.queued_until or now) if head.queued else None)
    if rollout.phase is Phase.ROLLING_BACK:
        return now + min(_BACK, rollout.minute)
    if rollout.phase in _WAITING:
        return now + _patience(rollout, now)
    return now + rollout.minute


def _patience(rollout: Rollout, now: datetime) -> timedelta:
    """A quarter of a minute at first; then half as long as was waited, at most a minute."""
    since = max(rollout.asked_at or rollout.phase_since, rollout.phase_since)
    return min(rollout.minute, max(rollout.minute / 4, (now - since) / 2))


def is_turn_of_queued(head: Head, now: datetime) -> bool:
    """Whether what waits may begin: nothing is live, watched or frozen, no key is regenerated."""
    if head.live or head.queued is None or key_in_the_way(head):
        return False
    return not (head.queued_until and now < head.queued_until) and not _is_watched(head, now)


def rests(head: Head, now: datetime) -> bool:
    """Whether nothing is to be seen or begun of a rollout: it is over, and watched no more."""
    return not head.live and not is_turn_of_queued(head, now) and not _is_watched(head, now)


def _is_watched(head: Head, now: datetime) -> bool:
    return head.rollout is not None and _while_watched(head.rollout, now) is not None


def _while_watched(rollout: Rollout, now: datetime) -> datetime | None:
    until = watched_until(rollout)
    return now + rollout.minute if until and now < until else None
