"""The outbox of an endpoint: notices owed with a decision, sent in order, given up after a bound.

It stands apart from the owed actions: nothing that is done to the world ever waits for a notice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rollout.core.chain import first_link, link
from rollout.core.head import Head, HistoryEntry
from rollout.core.notify import Moment, Notice, Target, Topic

OUTBOX_MAX = 24
"""So many notices an endpoint owes at most: the oldest give way, and the entry says so."""

ATTEMPTS_MAX = 12
GRACE = timedelta(seconds=30)
"""So late a notice may be before its message counts as lost."""

_DELAY_FIRST = timedelta(seconds=10)
_DELAY_MAX = timedelta(minutes=15)
_ERROR_MAX = 200


# -- owing ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Word:
    """What is to be told, about what, to whom; `place` sets it apart from others of its entry."""

    topic: Topic | Moment
    target: Target
    about: str = ""
    place: tuple[str, ...] = ()


def owe(
    head: Head, entry: HistoryEntry, words: Iterable[Word], now: datetime, *, of_keys: bool = False
) -> tuple[Head, HistoryEntry]:
    """The head with what is to be told of this entry; what had to give way is recorded."""
    number = entry.number
    new = tuple(
        Notice(
            id=":".join([head.endpoint.key, str(number), *_place(word)]),
            target=word.target,
            topic=word.topic,
            about=word.about,
            entry=number,
            of_keys=of_keys,
            since=now,
            not_before=now,
        )
        for word in words
    )
    if not new:
        return head, entry
    outbox = (*head.outbox, *new)
    dropped = outbox[: max(0, len(outbox) - OUTBOX_MAX)]
    if dropped:
        told = tuple(f"give up the notice of entry {one.entry} to {one.target}" for one in dropped)
        entry = entry.model_copy(update={"actions": (*entry.actions, *told)})
    return head.model_copy(update={"outbox": outbox[len(dropped) :]}), entry


def _place(word: Word) -> Sequence[str]:
    return word.target.kind, word.target.name, *word.place


# -- paying -----------------------------------------------------------------------------------


def in_turn(head: Head, now: datetime) -> Sequence[Notice]:
    """The first notice of each place whose time has come: one that waits holds back its own."""
    return [notice for notice in _firsts(head) if notice.not_before <= now]


def next_turn(head: Head) -> datetime | None:
    """When the outbox is to be looked at next; None: nothing is owed."""
    return min((notice.not_before for notice in _firsts(head)), default=None)


def _firsts(head: Head) -> Sequence[Notice]:
    first: dict[Target, Notice] = {}
    for notice in head.outbox:
        first.setdefault(notice.target, notice)
    return list(first.values())


def sent(head: Head, notice: Notice) -> Head:
    outbox = tuple(one for one in head.outbox if one.id != notice.id)
    return head.model_copy(update={"outbox": outbox})


def postponed(head: Head, notice: Notice, error: str, now: datetime) -> Head:
    """It stays owed: again after 10, 20, 40 seconds and so on, up to a quarter of an hour."""
    delay = min(_DELAY_MAX, _DELAY_FIRST * 2**notice.attempts)
    waits = notice.model_copy(
        update={
            "attempts": notice.attempts + 1,
            "not_before": now + delay,
            "last_error": error[:_ERROR_MAX],
        }
    )
    outbox = tuple(waits if one.id == notice.id else one for one in head.outbox)
    return head.model_copy(update={"outbox": outbox})


def is_last_try(notice: Notice) -> bool:
    return notice.attempts + 1 >= ATTEMPTS_MAX


def given_up(head: Head, notice: Notice, error: str, now: datetime) -> tuple[Head, HistoryEntry]:
    """Nobody was told: that is said in the history, and nothing more is tried."""
    rollout = None if notice.of_keys else head.rollout
    rotation = head.rotation if notice.of_keys else None
    phase = rotation.phase if rotation else head.phase
    entry = HistoryEntry(
        number=head.entries + 1,
        at=now,
        rollout_id=rollout.id if rollout else None,
        rotation_id=rotation.id if rotation else None,
        event="NoticeGivenUp",
        event_id=f"{notice.id}:given-up",
        who="rollout",
        previous=head.last_link or first_link(head.endpoint.key),
        before=phase,
        after=phase,
        stage=str(rollout.here) if rollout else "",
        why=f"the notice of entry {notice.entry} ({notice.topic}) did not reach {notice.target},"
        f" asked {notice.attempts + 1} times: {error[:_ERROR_MAX]}",
    )
    return sent(head, notice).model_copy(
        update={"entries": entry.number, "last_link": link(entry)}
    ), entry


# -- reminding --------------------------------------------------------------------------------


def is_overdue(head: Head, now: datetime) -> bool:
    """Whether the message that was to bring a notice on its way is lost."""
    turn = next_turn(head)
    return turn is not None and now >= turn + GRACE


def reminded(head: Head) -> Head:
    """Where no look is to come, the row is due for its notices: so the sweep finds them."""
    turn = next_turn(head)
    if turn is None or head.due_at or head.live or head.owed:
        return head
    return head.model_copy(update={"due_at": turn + GRACE})


def remind_at(head: Head, now: datetime) -> datetime | None:
    turn = next_turn(head)
    return max(turn, now) + GRACE if turn else None


def state_of(head: Head) -> str:
    """A short name of what is owed, another one after each change: it names the message."""
    tries = sum(notice.attempts for notice in head.outbox)
    last = head.outbox[-1].entry if head.outbox else 0
    return f"{last}.{len(head.outbox)}.{tries}"
