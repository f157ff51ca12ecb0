"""Messages in SQLite: delivered at least once, in order within a session, not before their time."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from rollout.adapters.sqlite.database import Database, to_datetime, to_micros
from rollout.errors import Conflict, Unknown
from rollout.ports import Clock, DeadLetter, Message

DELIVERIES_MAX = 10
DUPLICATE_WINDOW = timedelta(hours=1)
LEASE_LOST = "its lease ran out"

_FORGET_SENT = "DELETE FROM sent WHERE at <= ?"
_NOTE_SENT = "INSERT OR IGNORE INTO sent (queue, id, at) VALUES (?, ?, ?)"
_PUT = (
    "INSERT INTO messages (queue, session, id, body, not_before, due_at) VALUES (?, ?, ?, ?, ?, ?)"
)
_EXPIRED = "SELECT sequence FROM messages WHERE queue = ? AND lent_until <= ?"
_FIRST_FREE = """
    SELECT sequence, queue, session, id, body, not_before, deliveries
    FROM messages AS free
    WHERE queue = ? AND due_at <= ? AND NOT EXISTS (
        SELECT 1 FROM messages AS lent
        WHERE lent.queue = free.queue AND lent.session = free.session
        AND lent.lent_until IS NOT NULL
    )
    ORDER BY due_at, sequence LIMIT 1
"""
_FIRST_WAITING = """
    SELECT due_at FROM messages AS free
    WHERE queue = ? AND NOT EXISTS (
        SELECT 1 FROM messages AS lent
        WHERE lent.queue = free.queue AND lent.session = free.session
        AND lent.lent_until IS NOT NULL
    )
    ORDER BY due_at LIMIT 1
"""
_FIRST_LENT = """
    SELECT lent_until FROM messages WHERE queue = ? AND lent_until IS NOT NULL
    ORDER BY lent_until LIMIT 1
"""
_LEND = "UPDATE messages SET lent_until = ? WHERE sequence = ?"
_HELD = """
    SELECT 1 FROM messages WHERE sequence = ? AND deliveries = ? AND lent_until > ?
"""
_REMOVE = "DELETE FROM messages WHERE sequence = ?"
_COUNT = """
    UPDATE messages SET lent_until = NULL, deliveries = deliveries + 1 WHERE sequence = ?
"""
_BURY = """
    INSERT INTO dead_letters (queue, session, id, body, not_before, reason, deliveries, at)
    SELECT queue, session, id, body, not_before, ?, deliveries, ?
    FROM messages WHERE sequence = ? AND deliveries >= ?
"""
_DEAD = """
    SELECT queue, session, id, body, not_before, reason, deliveries, at
    FROM dead_letters ORDER BY number LIMIT ?
"""
_DEAD_ONE = "SELECT number FROM dead_letters WHERE queue = ? AND id = ? ORDER BY number LIMIT 1"
_RAISE = """
    INSERT INTO messages (queue, session, id, body, not_before, due_at)
    SELECT queue, session, id, body, not_before, ? FROM dead_letters WHERE number = ?
"""
_DIED_BEFORE = "SELECT count(*) FROM dead_letters WHERE at < ?"
_FORGET_DEAD = "DELETE FROM dead_letters WHERE at < ?"
_UNBURY = "DELETE FROM dead_letters WHERE number = ?"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message lent out until a time; the first delivery counts 1.

    Sequence and count together tell one lease from another.
    """

    message: Message
    count: int
    until: datetime
    lease: timedelta
    sequence: int


class SqliteQueue:
    """The port Queue, and the receiving side that a host on one machine works with.

    A lease that ran out counts as a delivery; after `deliveries_max` of them the message becomes
    a dead letter. Completing, abandoning or renewing after the lease was lost raises Conflict.
    What is sent is on disk when `send` returns; a power cut may undo the last leases and
    completions, and then a message is delivered again.
    """

    def __init__(self, path: Path, clock: Clock, deliveries_max: int = DELIVERIES_MAX) -> None:
        self._database = Database(path)
        self._leases = Database(path, synchronous="NORMAL")
        self._clock = clock
        self._deliveries_max = deliveries_max

    def close(self) -> None:
        self._database.close()
        self._leases.close()

    def send(self, message: Message) -> None:
        now = self._clock.now()
        due_at = max(now, message.not_before or now)
        with self._database.writing() as connection:
            connection.execute(_FORGET_SENT, (to_micros(now - DUPLICATE_WINDOW),))
            noted = connection.execute(_NOTE_SENT, (message.queue, message.id, to_micros(now)))
            if noted.rowcount:
                connection.execute(_PUT, (*_columns(message), to_micros(due_at)))

    def receive(self, queue: str, now: datetime, lease: timedelta) -> Delivery | None:
        """Lend out the earliest due message of a session that has none lent out."""
        with self._leases.writing() as connection:
            self._take_back_expired(connection, queue, now)
            row = connection.execute(_FIRST_FREE, (queue, to_micros(now))).fetchone()
            if row is None:
                return None
            sequence, *columns, deliveries = row
            until = now + lease
            connection.execute(_LEND, (to_micros(until), sequence))
        return Delivery(_message(*columns), deliveries + 1, until, lease, sequence)

    def complete(self, delivery: Delivery) -> None:
        with self._leases.writing() as connection:
            self._check_held(connection, delivery)
            connection.execute(_REMOVE, (delivery.sequence,))

    def abandon(self, delivery: Delivery, reason: str) -> None:
        """Give it back to the head of its session; too often, and it becomes a dead letter."""
        with self._leases.writing() as connection:
            self._check_held(connection, delivery)
            self._give_back(connection, delivery.sequence, reason, self._clock.now())

    def renew(self, delivery: Delivery) -> Delivery:
        """Hold it for another lease, counted from now."""
        until = self._clock.now() + delivery.lease
        with self._leases.writing() as connection:
            self._check_held(connection, delivery)
            connection.execute(_LEND, (to_micros(until), delivery.sequence))
        return replace(delivery, until=until)

    def next_due(self, queue: str) -> datetime | None:
        """When `receive` may next have something; None while the queue is empty."""
        with self._database.reading() as connection:
            found = [
                row[0]
                for statement in (_FIRST_WAITING, _FIRST_LENT)
                for row in connection.execute(statement, (queue,))
            ]
        return to_datetime(min(found)) if found else None

    def dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        """List them, the oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(_DEAD, (limit,)).fetchall()
        return [
            DeadLetter(_message(*columns), reason, deliveries, to_datetime(at))
            for *columns, reason, deliveries, at in rows
        ]

    def forget_dead_letters(self, before: datetime, *, dry: bool = False) -> int:
        """The port Graves."""
        died = (to_micros(before),)
        if dry:
            with self._database.reading() as connection:
                return int(connection.execute(_DIED_BEFORE, died).fetchone()[0])
        with self._database.writing() as connection:
            return connection.execute(_FORGET_DEAD, died).rowcount

    def resend(self, queue: str, message_id: str) -> None:
        now = to_micros(self._clock.now())
        with self._database.writing() as connection:
            row = connection.execute(_DEAD_ONE, (queue, message_id)).fetchone()
            if row is None:
                raise Unknown(f"no dead letter {message_id} in the queue {queue}")
            connection.execute(_RAISE, (now, row[0]))
            connection.execute(_UNBURY, (row[0],))

    def _take_back_expired(self, connection: sqlite3.Connection, queue: str, now: datetime) -> None:
        for (sequence,) in connection.execute(_EXPIRED, (queue, to_micros(now))).fetchall():
            self._give_back(connection, sequence, LEASE_LOST, now)

    def _give_back(
        self, connection: sqlite3.Connection, sequence: int, reason: str, now: datetime
    ) -> None:
        connection.execute(_COUNT, (sequence,))
        grave = (reason, to_micros(now), sequence, self._deliveries_max)
        if connection.execute(_BURY, grave).rowcount:
            connection.execute(_REMOVE, (sequence,))

    def _check_held(self, connection: sqlite3.Connection, delivery: Delivery) -> None:
        lease = (delivery.sequence, delivery.count - 1, to_micros(self._clock.now()))
        if connection.execute(_HELD, lease).fetchone() is None:
            raise Conflict(f"message {delivery.message.id}: its lease was lost")


def _columns(message: Message) -> tuple[str, str, str, bytes, int | None]:
    not_before = to_micros(message.not_before) if message.not_before else None
    return message.queue, message.session, message.id, message.body, not_before


def _message(queue: str, session: str, name: str, body: bytes, not_before: int | None) -> Message:
    due = None if not_before is None else to_datetime(not_before)
    return Message(queue, session, name, body, due)
