"""After an hour's outage all rollouts are late at once: what a sweep costs, and who waits."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from time import process_time
from typing import ClassVar

from benchmarks.load.crowd import Crowd
from rollout.adapters.sqlite.database import to_micros
from rollout.core.endpoint import EndpointId, EndpointView
from rollout.core.events import AbortRequested
from rollout.core.head import Head, Wake
from rollout.ports import Minutes
from rollout.wakes import STEPS_QUEUE, wake_message, wake_of
from tests.simulation.azure import SimulatedAzure

OUTAGE = timedelta(hours=1)
LEASE = timedelta(minutes=1)
TAKEN = 500
"""So many of the late messages are worked off, to know what one costs."""


class Everywhere(SimulatedAzure):
    """It answers for every endpoint, and remembers what it made up for the metrics."""

    _made_up: ClassVar[dict[tuple[datetime, datetime], Minutes]] = {}

    @classmethod
    def of(cls, azure: SimulatedAzure) -> "Everywhere":
        return cls(**{one.name: getattr(azure, one.name) for one in fields(azure)})

    def read(self, endpoint: EndpointId) -> EndpointView:
        return super().read(self.id).model_copy(update={"id": endpoint})

    def metrics_of(self, since: datetime, until: datetime, source: str = "metrics") -> Minutes:
        if (since, until) not in self._made_up:
            self._made_up[since, until] = super().metrics_of(since, until, source)
        return self._made_up[since, until]


@dataclass(frozen=True, slots=True)
class Outage:
    """What was found; times are of the processor, in seconds."""

    late: int
    sweep: float
    sent: int
    back_after: float
    alert: float
    look: float
    twice: int


def measured(crowd: Crowd) -> Outage:
    """An hour's outage of a crowd, one of them on its way back, and what becomes of it."""
    world = crowd.world
    world.azure = Everywhere.of(world.azure)
    world.engine = world.new_worker()
    heads = _late(crowd)
    back, alerted = heads[-1].endpoint, heads[-2].endpoint
    world.azure.faults.busy = 1.0
    world.engine.handle(back, AbortRequested(id="back", who="anna"))
    world.clock.advance(OUTAGE)
    world.azure.faults.busy, world.azure.faults.operation = 0.0, (0.0, 0.0)
    world.azure.writes.clear()
    began, waiting = process_time(), _waiting(crowd)
    asked = _AskedAt(world.azure, began)
    world.engine.sweep()
    sweep, sent = process_time() - began, _waiting(crowd) - waiting
    began = process_time()
    world.engine.handle(alerted, world.alert(id="alert after the outage"))
    alert = process_time() - began
    look, twice = _worked_off(crowd)
    return Outage(len(heads), sweep, sent, asked.after, alert, look, twice)


class _AskedAt:
    """When the first traffic request was made, by the processor's clock."""

    def __init__(self, azure: SimulatedAzure, began: float) -> None:
        self.after, write = float("nan"), azure._write  # noqa: SLF001 - where each write ends

        def noted(*wish: object) -> object:
            if self.after != self.after:
                self.after = process_time() - began
            return write(*wish)  # type: ignore[arg-type]

        azure._write = noted  # type: ignore[method-assign, assignment]  # noqa: SLF001


def _late(crowd: Crowd) -> list[Head]:
    """All others due within the coming minute, each with its message in the queue."""
    now = crowd.world.clock.now()
    found = []
    with closing(sqlite3.connect(crowd.path, isolation_level=None)) as connection:
        rows = connection.execute("SELECT key, body FROM heads WHERE key LIKE 'endpoint-%'")
        connection.execute("BEGIN IMMEDIATE")
        for number, (key, body) in enumerate(rows.fetchall()):
            at = now + timedelta(minutes=1) * (number + 1) / crowd.size
            head = Head.model_validate_json(body).model_copy(update={"due_at": at})
            message = wake_message(wake_of(head), at)
            connection.execute(
                "UPDATE heads SET due_at = ?, body = ? WHERE key = ?",
                (to_micros(at), head.model_dump_json(by_alias=True), key),
            )
            connection.execute(
                "INSERT INTO messages (queue, session, id, body, not_before, due_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (STEPS_QUEUE, key, message.id, message.body, to_micros(at), to_micros(at)),
            )
            found.append(head)
        connection.execute("COMMIT")
    return found


def _waiting(crowd: Crowd) -> int:
    with closing(sqlite3.connect(crowd.path)) as connection:
        return int(connection.execute("SELECT count(*) FROM messages").fetchone()[0])


def _worked_off(crowd: Crowd) -> tuple[float, int]:
    """What one late look costs, and how many endpoints had a second before others had one."""
    world, seen, twice = crowd.world, set[str](), 0
    began = process_time()
    for _ in range(TAKEN):
        delivery = world.queue.receive(STEPS_QUEUE, world.clock.now(), LEASE)
        if delivery is None:
            break
        twice += delivery.message.session in seen
        seen.add(delivery.message.session)
        world.engine.wake(Wake.model_validate_json(delivery.message.body))
        world.queue.complete(delivery)
    return (process_time() - began) / max(1, len(seen)), twice


def told(found: Outage, event: float) -> Mapping[str, str]:
    """Each question and its answer; `event` is what one look costs when nothing is late."""
    minutes = found.late * found.look / 60
    return {
        "rollouts that are late": f"{found.late:,}",
        "one sweep, in looks on time": f"{found.sweep / event:.0f}",
        "messages it sent again": f"{found.sent:,}",
        "the way back was asked for after, in looks on time": f"{found.back_after / event:.0f}",
        "an alert in the middle of it, in looks on time": f"{found.alert / event:.1f}",
        "a late look, in looks on time": f"{found.look / event:.1f}",
        "all of them worked off, in minutes of one core": f"{minutes:.1f}",
        f"endpoints with a second look before others had one, of the first {TAKEN}": (
            f"{found.twice}"
        ),
    }
