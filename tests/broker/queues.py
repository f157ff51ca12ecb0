"""What a queue of Service Bus does with messages, sessions, locks and time; it knows no network."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID, uuid4

TOO_OFTEN = "MaxDeliveryCountExceeded"


class Refusal(Exception):
    """What the broker answers no to: an AMQP condition, the status of a management answer, why."""

    def __init__(self, condition: str, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.condition = condition
        self.status = status


def lock_lost(what: str) -> Refusal:
    return Refusal(f"com.microsoft:{what}-lock-lost", f"the {what}'s lock was lost", 410)


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """How a queue was created; the defaults are those of our own deployment."""

    sessions: bool = True
    lock: timedelta = timedelta(minutes=1)
    deliveries_max: int = 10
    duplicate_window: timedelta = timedelta(hours=1)
    message_bytes_max: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as it came in: the encoded whole, and the parts that a queue reads."""

    payload: bytes
    id: str | None
    session: str | None
    due_at: datetime | None = None


@dataclass
class Lock:
    holder: object
    until: datetime
    token: UUID = field(default_factory=uuid4)


@dataclass
class Stored:
    sequence: int
    sent: Sent
    at: datetime
    waits: bool = False
    deliveries: int = 0
    lock: Lock | None = None
    reason: str = ""
    description: str = ""


class Fate(Enum):
    COMPLETE = "complete"
    ABANDON = "abandon"
    RELEASE = "release"
    DEAD_LETTER = "dead-letter"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a receiver says of a message that it was lent; a dead letter has a reason."""

    fate: Fate
    reason: str = ""
    description: str = ""


class BrokerQueue:
    """One queue and its dead letters; `now` never runs backwards."""

    def __init__(self, name: str, spec: QueueSpec, dead: "BrokerQueue | None" = None) -> None:
        self.name = name
        self.spec = spec
        self.dead = dead
        self.stored: dict[int, Stored] = {}
        self.held: dict[str, Lock] = {}
        self.losers: list[object] = []
        self._seen: dict[str, datetime] = {}
        self._sequence = 0

    # -- in --------------------------------------------------------------------------------------

    def send(self, sent: Sent, now: datetime) -> int:
        """Take a message; a repeated id is taken and dropped. Answers its sequence number."""
        self._check(sent)
        self.tick(now)
        self._sequence += 1
        if sent.id is not None and self._is_repeat(sent.id, now):
            return self._sequence
        waits = sent.due_at is not None and sent.due_at > now
        self.stored[self._sequence] = Stored(self._sequence, sent, now, waits)
        return self._sequence

    def cancel(self, sequence: int) -> None:
        """Take a scheduled message back before its time; its id stays known."""
        if sequence not in self.stored or not self.stored[sequence].waits:
            raise Refusal("com.microsoft:message-not-found", "no such scheduled message", 404)
        del self.stored[sequence]

    def forget(self) -> None:
        """Be empty; who holds a session keeps it."""
        self.stored.clear()
        self._seen.clear()
        if self.dead:
            self.dead.forget()

    def _check(self, sent: Sent) -> None:
        if self.spec.sessions and not sent.session:
            raise Refusal("amqp:not-allowed", f"{self.name} requires a session id")
        if len(sent.payload) > self.spec.message_bytes_max:
            raise Refusal("amqp:link:message-size-exceeded", "the message is too large")

    def _is_repeat(self, message_id: str, now: datetime) -> bool:
        since = now - self.spec.duplicate_window
        self._seen = {known: at for known, at in self._seen.items() if at > since}
        if message_id in self._seen:
            return True
        self._seen[message_id] = now
        return False

    # -- sessions --------------------------------------------------------------------------------

    def accept(self, session: str | None, holder: object, now: datetime) -> str | None:
        """Lock a session for that holder: the named one, or any that has a message.

        None where none is free; raises Refusal where the named one is somebody else's.
        """
        self.tick(now)
        if session is None:
            waiting = (one.sent.session for one in self._ready())
            session = next((one for one in waiting if one and one not in self.held), None)
        elif session in self.held:
            raise Refusal("com.microsoft:session-cannot-be-locked", f"{session} is locked", 409)
        if session is not None:
            self.held[session] = Lock(holder, now + self.spec.lock)
        return session

    def renew_session(self, session: str, now: datetime) -> datetime:
        self.tick(now)
        if session not in self.held:
            raise lock_lost("session")
        until = self.held[session].until = now + self.spec.lock
        for one in self._lent(session):
            one.until = until
        return until

    def release(self, holder: object) -> None:
        """A holder went away: its sessions are free, and their messages were not delivered."""
        for session in [name for name, lock in self.held.items() if lock.holder == holder]:
            del self.held[session]
            for one in self._of(session):
                one.lock = None

    def lose(self, session: str) -> object:
        """Take a session from its holder, whom it answers; what is out counts as delivered."""
        holder = self.held.pop(session).holder
        for one in list(self._of(session)):
            if one.lock:
                self._give_back(one, counts=True)
        return holder

    def _of(self, session: str) -> Iterator[Stored]:
        return (one for one in self.stored.values() if one.sent.session == session)

    def _lent(self, session: str) -> Iterator[Lock]:
        return (one.lock for one in self._of(session) if one.lock)

    # -- out -------------------------------------------------------------------------------------

    def take(self, session: str | None, holder: object, now: datetime) -> Stored | None:
        """Lend out the next message, of that session where the queue has sessions."""
        self.tick(now)
        ready = (one for one in self._ready() if session is None or one.sent.session == session)
        found = next(ready, None)
        if found:
            until = self.held[session].until if session else now + self.spec.lock
            found.lock = Lock(holder, until)
        return found

    def settle(self, token: UUID, outcome: Outcome, now: datetime) -> None:
        """Do with a lent message what its holder says; raises Refusal when the lock was lost."""
        self.tick(now)
        one = self._locked(token)
        if outcome.fate is Fate.COMPLETE:
            del self.stored[one.sequence]
        elif outcome.fate is Fate.DEAD_LETTER:
            self._bury(one, outcome.reason, outcome.description)
        else:
            self._give_back(one, counts=outcome.fate is Fate.ABANDON)

    def renew(self, token: UUID, now: datetime) -> datetime:
        self.tick(now)
        lock = self._locked(token).lock
        assert lock
        lock.until = now + self.spec.lock
        return lock.until

    def peek(self, sequence: int, limit: int) -> list[Stored]:
        """Whatever is there from that number on, lent out or waiting for its time as well."""
        there = sorted(self.stored.values(), key=lambda one: one.sequence)
        return [one for one in there if one.sequence >= sequence][:limit]

    def _ready(self) -> Iterable[Stored]:
        there = (one for one in self.stored.values() if not one.waits and not one.lock)
        return sorted(there, key=lambda one: one.sequence)

    def _locked(self, token: UUID) -> Stored:
        for one in self.stored.values():
            if one.lock and one.lock.token == token:
                return one
        raise lock_lost("session" if self.spec.sessions else "message")

    def _give_back(self, one: Stored, *, counts: bool) -> None:
        one.lock = None
        one.deliveries += counts
        if self.dead and one.deliveries >= self.spec.deliveries_max:
            self._bury(one, TOO_OFTEN, f"delivered {one.deliveries} times")

    def bury(self, message_id: str) -> None:
        (one,) = (one for one in self.stored.values() if one.sent.id == message_id)
        self._bury(one, "OnCommand", "laid aside by a test")

    def _bury(self, one: Stored, reason: str, description: str) -> None:
        del self.stored[one.sequence]
        if self.dead is None:
            raise Refusal("amqp:not-allowed", "a dead letter cannot die again")
        self.dead.stored[one.sequence] = one
        one.lock, one.reason, one.description = None, reason, description

    # -- time ------------------------------------------------------------------------------------

    def tick(self, now: datetime) -> None:
        """Do what time asks for; `losers` are the holders whose session's lock ran out."""
        due = [one for one in self.stored.values() if one.waits and _due(one) <= now]
        for one in sorted(due, key=lambda one: (_due(one), one.sequence)):
            self._append(one)
        self.losers += [self.lose(name) for name in self._expired(now)]
        for one in list(self.stored.values()):
            if one.lock and one.lock.until <= now:
                self._give_back(one, counts=True)

    def _expired(self, now: datetime) -> list[str]:
        return [name for name, lock in self.held.items() if lock.until <= now]

    def _append(self, one: Stored) -> None:
        """Its time has come: it is the last of the queue, under a new number."""
        del self.stored[one.sequence]
        self._sequence += 1
        one.sequence, one.at, one.waits = self._sequence, _due(one), False
        self.stored[one.sequence] = one

    def next_session(self) -> tuple[bool, str | None]:
        """Whether a message is ready of which no sibling is lent out, and its session."""
        busy = {one.sent.session for one in self.stored.values() if one.lock} - {None}
        for one in self._ready():
            if one.sent.session not in busy:
                return True, one.sent.session
        return False, None

    def next_due(self) -> datetime | None:
        """When something may be delivered next: to whoever asks, or after a lock runs out."""
        busy = {one.sent.session for one in self.stored.values() if one.lock} - {None}
        free = (
            one for one in self.stored.values() if not one.lock and one.sent.session not in busy
        )
        waiting = [_due(one) if one.waits else one.at for one in free]
        lent = [one.lock.until for one in self.stored.values() if one.lock]
        return min([*waiting, *lent], default=None)


def _due(one: Stored) -> datetime:
    return one.sent.due_at or one.at
