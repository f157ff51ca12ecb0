"""Where the processor's time of one look goes, and what the bare disk would take of it."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import wraps
from pathlib import Path
from time import process_time
from typing import Any
from unittest.mock import patch

from benchmarks.load.crowd import Crowd
from rollout.adapters.sqlite.queue import SqliteQueue
from rollout.adapters.sqlite.samples import SqliteSamples
from rollout.adapters.sqlite.store import SqliteStore
from rollout.measuring.measure import Measuring

BEFORE = Path(__file__).with_name("before.json")
"""The same parts as they were measured before the two largest costs were removed."""

WHOLE = "one look, whole"
RAW = "the same bytes in one bare transaction"
RAW_TIMES = 300

_METHODS: Mapping[str, tuple[tuple[type, str], ...]] = {
    "take the measurements": ((Measuring, "take"),),
    "load the head row": ((SqliteStore, "load"),),
    "save in one transaction": ((SqliteStore, "save"),),
    "read the samples": ((SqliteSamples, "read"),),
    "save the samples": ((SqliteSamples, "save"),),
    "send the next message": ((SqliteQueue, "send"),),
    "take and complete a message": ((SqliteQueue, "receive"), (SqliteQueue, "complete")),
}
_FUNCTIONS: Mapping[str, str] = {
    "judge the minutes": "rollout.measuring.measure.judged",
    "decide": "rollout.engine.decide",
    "record: the entry and its hash": "rollout.engine.record",
}


def measured(crowd: Crowd, minutes: int) -> Mapping[str, float]:
    """Seconds of the processor for one look, by part; a part includes what it calls."""
    spent: defaultdict[str, float] = defaultdict(float)
    turn = crowd.world.head.turn
    with ExitStack() as stack:
        for name, places in _METHODS.items():
            for owner, method in places:
                timed = _timed(spent, name, getattr(owner, method))
                stack.enter_context(patch.object(owner, method, timed))
        for name, place in _FUNCTIONS.items():
            module, _, function = place.rpartition(".")
            timed = _timed(spent, name, getattr(__import__(module, fromlist=["_"]), function))
            stack.enter_context(patch(place, timed))
        began = process_time()
        crowd.world.run(minutes)
        spent[WHOLE] = process_time() - began
    looks = max(1, crowd.world.head.turn - turn)
    each = {name: seconds / looks for name, seconds in spent.items()}
    return {**each, RAW: bare_transaction(crowd)}


def _timed(spent: dict[str, float], name: str, called: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(called)
    def call(*args: Any, **given: Any) -> Any:  # noqa: ANN401 - whatever it takes
        began = process_time()
        try:
            return called(*args, **given)
        finally:
            spent[name] += process_time() - began

    return call


def bare_transaction(crowd: Crowd) -> float:
    """SQLite alone: the head row of this crowd replaced, on disk, without a line of ours."""
    body = crowd.world.head.model_dump_json(by_alias=True)
    with _bare(crowd.path.with_suffix(".bare")) as connection:
        connection.execute("INSERT INTO heads VALUES ('churn', 0, ?)", (body,))
        began = process_time()
        for number in range(RAW_TIMES):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "UPDATE heads SET etag = ?, body = ? WHERE key = 'churn'", (number, body)
            )
            connection.execute("COMMIT")
        return (process_time() - began) / RAW_TIMES


@contextmanager
def _bare(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE heads (key TEXT PRIMARY KEY, etag INTEGER, body TEXT)")
        yield connection


def table(now: Mapping[str, float]) -> Iterator[str]:
    """Each part: its share, and how many bare transactions it is, now and before."""
    before: Mapping[str, float] = json.loads(BEFORE.read_text())
    for name, spent in sorted(now.items(), key=lambda part: -part[1]):
        then = before.get(name, 0) / before[RAW]
        yield (
            f"| {name} | {before.get(name, 0) / before[WHOLE]:.0%} | {spent / now[WHOLE]:.0%} |"
            f" {then:.1f} | {spent / now[RAW]:.1f} |"
        )
