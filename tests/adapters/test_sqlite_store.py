"""The SQLite store's own promises: no scans, other versions' rows, and many writers."""

import logging
import multiprocessing
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rollout.adapters.sqlite.store import SqliteStore
from rollout.core.head import Head
from rollout.core.rollout import Phase
from rollout.errors import Conflict, Unavailable
from tests.adapters.contracts.rows import HOUR, a_head, a_rollout, an_endpoint, an_entry
from tests.adapters.processes import EVERY, WRITER, line_of, running
from tests.fakes import NOON

KEY = an_endpoint().key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rollout.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as opened:
        yield opened


QUESTIONS: dict[str, Callable[[SqliteStore], object]] = {
    "load": lambda store: store.load(an_endpoint()),
    "save": lambda store: store.save(
        store.load(an_endpoint()), a_head(rollout=a_rollout(Phase.PROMOTED)), an_entry()
    ),
    "due": lambda store: store.due(NOON, 10),
    "going back": lambda store: store.going_back(NOON, 10),
    "live": lambda store: store.live(10),
    "ended": lambda store: store.ended(10),
    "rollout": lambda store: store.rollout(KEY, "r9"),
    "history": lambda store: store.history(KEY, 5),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_reads_all_rows_or_sorts_them(store: SqliteStore, question: str) -> None:
    asked: list[str] = []
    with store._database.reading() as connection:
        connection.set_trace_callback(asked.append)
        QUESTIONS[question](store)
        connection.set_trace_callback(None)
        statements = [text for text in asked if re.match(r"\s*(SELECT|INSERT|UPDATE)", text)]
        plans = [
            str(row[3])
            for statement in statements
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]

    assert statements
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]
    assert not [plan for plan in plans if "SCAN" in plan and "USING" not in plan]
    assert question == "ended" or not [plan for plan in plans if "SCAN" in plan]


def spoil(store: SqliteStore, table: str, where: str = "1") -> None:
    """Make rows look as if a newer version had written them; only who may drop guards can."""
    with store._database.writing() as connection:
        connection.execute("DROP TRIGGER IF EXISTS history_is_not_changed")
        connection.execute(
            f"UPDATE {table} SET body = json_set(body, '$.colour', 'red') WHERE {where}"
        )


def test_a_head_of_a_newer_version_does_not_stop_the_others(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    for number, name in enumerate(("new", "old", "older")):
        endpoint = an_endpoint(name)
        rollout = a_rollout(endpoint=endpoint)
        head = Head(endpoint=endpoint, rollout=rollout, due_at=NOON + number * HOUR)
        store.save(store.load(endpoint), head)
    spoil(store, "heads", f"key = '{an_endpoint('new').key}'")

    with caplog.at_level(logging.WARNING):
        due = [head.endpoint.name for head in store.due(NOON + 9 * HOUR, 1)]
        live = {head.endpoint.name for head in store.live(2)}

    assert (due, live) == (["old"], {"old", "older"})
    assert an_endpoint("new").key in caplog.text
    with pytest.raises(Unavailable, match=r"Head of new-.*colour.*newer version"):
        store.load(an_endpoint("new"))


def test_other_rows_of_a_newer_version_are_left_out_of_lists(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    head = a_head(rollout=a_rollout(Phase.PROMOTED))
    held = store.save(store.load(an_endpoint()), head, an_entry(1))
    store.save(held, a_head(), an_entry(2))
    spoil(store, "rollouts")
    spoil(store, "history", "number = 1")

    assert store.ended(9) == []
    assert store.history(KEY) == [an_entry(2)]
    assert f"{KEY} r1" in caplog.text
    assert f"{KEY} 1" in caplog.text
    with pytest.raises(Unavailable, match=r"Rollout of churn-\w+ r1 cannot be read"):
        store.rollout(KEY, "r1")


def count_up(store: SqliteStore, times: int) -> None:
    """Add one to the endpoint's turn so often, loading again after each conflict."""
    for _ in range(times):
        while True:
            held = store.load(an_endpoint())
            turn = held.head.turn + 1
            try:
                store.save(held, a_head().model_copy(update={"turn": turn}), an_entry(turn))
                break
            except Conflict:
                continue


def test_threads_on_one_store_lose_no_increment(store: SqliteStore) -> None:
    threads = [threading.Thread(target=count_up, args=(store, 25)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.load(an_endpoint()).head.turn == 100
    assert len(store.history(KEY)) == 100


def _count_up_alone(path: Path, times: int) -> None:
    with closing(SqliteStore(path)) as store:
        count_up(store, times)


def test_processes_that_open_a_new_file_together_lose_no_increment(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_count_up_alone, args=(path, 25)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 4
    with closing(SqliteStore(path)) as store:
        assert store.load(an_endpoint()).head.turn == 100
        assert [entry.number for entry in store.history(KEY)] == list(range(1, 101))


def test_a_writer_killed_at_any_moment_has_lost_nothing_it_acknowledged(path: Path) -> None:
    for lines in (1, 40, 3, 17, 90, 8):
        acknowledged = _killed_after(path, lines)

        with closing(SqliteStore(path)) as store:
            turn = store.load(an_endpoint()).head.turn
            numbers = [entry.number for entry in store.history(KEY)]
        assert turn in (acknowledged, acknowledged + 1)
        assert numbers == list(range(1, turn + 1))


def _killed_after(path: Path, lines: int) -> int:
    """Let a process write, kill it after so many lines; the last number it printed."""
    with running(WRITER, path, EVERY) as writer:
        said = [line_of(writer) for _ in range(lines)]
        writer.kill()
        assert writer.stdout
        said += writer.stdout.readlines()
    return int(said[-1])
