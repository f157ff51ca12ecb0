"""A world whose store holds many live rollouts beside the one that is looked at."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import process_time

from rollout.adapters.sqlite.database import to_micros
from rollout.adapters.sqlite.queue import SqliteQueue
from rollout.adapters.sqlite.samples import SqliteSamples
from rollout.adapters.sqlite.store import SqliteStore
from rollout.core.endpoint import EndpointId
from rollout.core.head import Head
from tests.simulation.world import POLICY, World

LONG = POLICY.replace("shortest_minutes: 3", "shortest_minutes: 3000").replace(
    "longest_minutes: 30}", "longest_minutes: 4000}"
)
"""Its mirror stage lasts two days, so that every event is a look that is judged."""

_INSERT = "INSERT INTO heads (key, etag, due_at, live, body) VALUES (?, 1, ?, 1, ?)"


class _Long(World):
    """A world that is measured for as long as was asked."""

    def _all_is_done(self) -> bool:
        """Never: what waits is in a store that the fakes know nothing of."""
        return False


@dataclass(frozen=True, slots=True)
class Crowd:
    """One world, its store, and the file that both are in."""

    world: World
    store: SqliteStore
    path: Path
    size: int

    def look(self, minutes: int) -> float:
        """The processor's seconds that one event takes, with so many minutes of looks."""
        turn, began = self.world.head.turn, process_time()
        self.world.run(minutes)
        return (process_time() - began) / max(1, self.world.head.turn - turn)

    def sweep(self, times: int) -> float:
        began = process_time()
        for _ in range(times):
            self.world.engine.sweep()
        return (process_time() - began) / times


@contextmanager
def a_crowd(folder: Path, size: int, policy: str = LONG, name: str = "load") -> Iterator[Crowd]:
    """A world on real SQLite parts, with `size` live rollouts in its store."""
    path = folder / f"{name}-{size}.db"
    store = SqliteStore(path)
    world = _Long(policy=policy, store=store)
    queue, samples = SqliteQueue(path, world.clock), SqliteSamples(path)
    world.queue, world.samples = queue, samples  # type: ignore[assignment]
    world.engine = world.new_worker()
    world.start()
    world.run(minutes=12)
    _fill(path, world.head, size - 1)
    try:
        yield Crowd(world, store, path, size)
    finally:
        for part in (store, queue, samples):
            part.close()


def _fill(path: Path, head: Head, count: int) -> None:
    """The same rollout on other endpoints; none of them is due while we measure."""
    assert head.rollout is not None
    later = (head.due_at or head.rollout.started_at) + timedelta(days=400)
    rows = []
    for number in range(count):
        name = f"endpoint-{number}"
        endpoint = EndpointId(subscription="s", resource_group="g", workspace="w", name=name)
        order = head.rollout.order.model_copy(update={"endpoint": endpoint})
        rollout = head.rollout.model_copy(update={"order": order})
        other = head.model_copy(update={"endpoint": endpoint, "rollout": rollout, "due_at": later})
        rows.append((endpoint.key, to_micros(later), other.model_dump_json(by_alias=True)))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(_INSERT, rows)
    connection.execute("COMMIT")
    connection.close()
