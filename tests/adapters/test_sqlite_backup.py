"""A copy of the embedded store, the store put back, and the first schema brought up to date."""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from select import select
from textwrap import dedent

import pytest

from rollout.adapters.sqlite.backup import KEPT, back_up, restore
from rollout.adapters.sqlite.queue import SqliteQueue
from rollout.adapters.sqlite.samples import SqliteSamples
from rollout.adapters.sqlite.schema import MIGRATIONS
from rollout.adapters.sqlite.store import SqliteStore
from rollout.core.chain import examine
from rollout.core.events import AbortRequested
from rollout.core.head import Checkpoint
from rollout.core.rollout import Outcome, Phase
from rollout.errors import Conflict, Malformed, Unavailable, Unknown
from tests.adapters.contracts.rows import a_head, an_endpoint, an_entry
from tests.adapters.processes import WRITER, line_of, running
from tests.fakes import HOUR, NOON, FakeClock
from tests.simulation.world import CHURN, World

FIRST = Path(__file__).parents[1] / "histories" / "schema-1.sql"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rollout.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as opened:
        yield opened


def test_a_backup_holds_what_was_saved_while_the_store_goes_on(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    held = store.save(store.load(an_endpoint()), a_head(), an_entry(1))

    back_up(path, tmp_path / "copy.db")
    store.save(held, a_head(due_at=NOON), an_entry(2))

    with closing(SqliteStore(tmp_path / "copy.db")) as copy:
        assert copy.load(an_endpoint()).head == a_head()
        assert copy.history(an_endpoint().key) == [an_entry(1)]
    assert len(store.history(an_endpoint().key)) == 2


def test_a_backup_is_readable_by_its_owner_alone(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    assert store.live(1) == []

    back_up(path, tmp_path / "copy.db")

    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0


def test_what_is_not_there_cannot_be_copied(tmp_path: Path) -> None:
    with pytest.raises(Unknown, match="there is no store"):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")

    assert list(tmp_path.iterdir()) == []


def test_a_restored_store_is_as_it_was_copied_and_the_other_is_kept(
    path: Path, tmp_path: Path
) -> None:
    with closing(SqliteStore(path)) as store:
        held = store.save(store.load(an_endpoint()), a_head(), an_entry(1))
        back_up(path, tmp_path / "copy.db")
        store.save(held, a_head(due_at=NOON), an_entry(2))

    kept = restore(path, tmp_path / "copy.db")

    assert kept == path.with_name(path.name + KEPT)
    with closing(SqliteStore(path)) as store, closing(SqliteStore(kept)) as before:
        assert store.load(an_endpoint()).head == a_head()
        assert before.load(an_endpoint()).head == a_head(due_at=NOON)


def test_a_store_that_somebody_has_open_is_not_replaced(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    held = store.save(store.load(an_endpoint()), a_head())
    back_up(path, tmp_path / "copy.db")

    with pytest.raises(Conflict, match="another process has it open; stop it first"):
        restore(path, tmp_path / "copy.db")

    assert store.load(an_endpoint()) == held


def _newer(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as opened:
        opened.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def _damaged(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:4096] + b"\xff" * 4096 + copy.read_bytes()[8192:])


def _other(copy: Path) -> None:
    copy.write_text("name,share\nblue,100\n")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_newer, "written by a newer version of rollout"),
        (_damaged, "damaged|malformed"),
        (_other, "name a file that `rollout backup` wrote"),
    ],
)
def test_what_is_no_whole_backup_is_refused_and_changes_nothing(
    change: object, told: str, path: Path, tmp_path: Path
) -> None:
    with closing(SqliteStore(path)) as store:
        held = store.save(store.load(an_endpoint()), a_head(), an_entry(1))
    copy = tmp_path / "copy.db"
    back_up(path, copy)
    assert callable(change)
    change(copy)

    with pytest.raises(Malformed, match=told):
        restore(path, copy)

    with closing(SqliteStore(path)) as store:
        assert store.load(an_endpoint()) == held


# -- while a controller works, and dies ----------------------------------------------------------

PATIENCE_SECONDS = 20
COPIER = dedent("""
    import sys
    from pathlib import Path
    from rollout.adapters.sqlite.backup import back_up
    while True:
        back_up(Path(sys.argv[1]), Path(sys.argv[2]))
        print("copied", flush=True)
""")


@contextmanager
def writing(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A controller that has saved once, and saves on."""
    with running(WRITER, path, 1) as writer:
        line_of(writer)
        yield writer


def a_large_store(path: Path) -> None:
    """Some megabytes, so that a copy takes longer than the writer's next save."""
    with closing(SqliteStore(path)) as store:
        for number in range(200):
            endpoint = an_endpoint(f"other-{number}")
            entry = an_entry(1, "x" * 20_000)
            store.save(store.load(endpoint), a_head(endpoint.name), entry)


def is_of_one_moment(copy: Path) -> bool:
    with closing(SqliteStore(copy)) as store:
        turn = store.load(an_endpoint()).head.turn
        numbers = [entry.number for entry in store.history(an_endpoint().key, limit=10**6)]
    return turn > 0 and numbers == list(range(1, turn + 1))


def test_a_backup_ends_while_a_controller_writes_without_a_pause(
    path: Path, tmp_path: Path
) -> None:
    a_large_store(path)
    copy = tmp_path / "copy.db"

    with writing(path) as writer, running(COPIER, path, copy) as copier:
        assert copier.stdout
        ready, _, _ = select([copier.stdout], [], [], PATIENCE_SECONDS)
        still_writing = writer.poll() is None

    assert ready
    assert still_writing
    assert is_of_one_moment(copy)


def test_a_backup_that_is_killed_leaves_the_one_before_whole(path: Path, tmp_path: Path) -> None:
    a_large_store(path)
    copy = tmp_path / "copy.db"

    for copies in (2, 1):
        with writing(path) as writer, running(COPIER, path, copy) as copier:
            for _ in range(copies):
                line_of(copier)
            assert writer.poll() is None
        assert is_of_one_moment(copy)

    back_up(path, copy)
    assert is_of_one_moment(copy)
    assert [one.name for one in tmp_path.iterdir() if "partial" in one.name] == []


# -- history only grows ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE history SET body = '{}'",
        "DELETE FROM history",
        "DELETE FROM history WHERE number = 1",
        "UPDATE history SET number = 2",
    ],
)
def test_the_database_itself_refuses_to_change_an_entry(
    statement: str, store: SqliteStore, path: Path
) -> None:
    store.save(store.load(an_endpoint()), a_head(), an_entry(1))

    with closing(sqlite3.connect(path)) as opened, pytest.raises(sqlite3.Error):
        opened.execute(statement)

    assert store.history(an_endpoint().key) == [an_entry(1)]


@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "INSERT OR IGNORE", "REPLACE", "INSERT"])
@pytest.mark.parametrize("number", [0, 1])
def test_the_database_takes_no_entry_under_a_number_that_is_not_new(
    verb: str, number: int, store: SqliteStore, path: Path
) -> None:
    """SQLite fires no trigger of removal where it replaces a row."""
    store.save(store.load(an_endpoint()), a_head(), an_entry(1))

    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        values = (an_endpoint().key, number, an_entry(1, "another").model_dump_json())
        opened.execute(f"{verb} INTO history (key, number, body) VALUES (?, ?, ?)", values)

    assert store.history(an_endpoint().key) == [an_entry(1)]


def test_only_what_is_behind_the_checkpoint_of_its_endpoint_is_removed(
    store: SqliteStore, path: Path
) -> None:
    pruned = a_head().model_copy(update={"pruned": Checkpoint(through=1, link="0" * 64)})
    held = store.save(store.load(an_endpoint()), a_head(), an_entry(1))
    store.save(store.save(held, a_head(), an_entry(2)), pruned)
    store.save(store.load(an_endpoint("b")), a_head("b"), an_entry(1))

    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        opened.execute("DELETE FROM history WHERE number = 1 AND key = ?", (an_endpoint().key,))
        with pytest.raises(sqlite3.IntegrityError, match="behind its checkpoint"):
            opened.execute("DELETE FROM history")

    assert store.history(an_endpoint().key) == [an_entry(2)]
    assert store.history(an_endpoint("b").key) == [an_entry(1)]


# -- the first schema --------------------------------------------------------------------------


@pytest.fixture
def first(path: Path) -> Path:
    """A store as the first version wrote it: a rollout aborted, and one on its way."""
    with closing(sqlite3.connect(path)) as opened:
        opened.executescript(FIRST.read_text("utf-8"))
    return path


def test_a_store_of_the_first_schema_keeps_its_rows(first: Path) -> None:
    with closing(SqliteStore(first)) as store:
        head = store.load(CHURN).head
        entries = store.history(CHURN.key)

        assert (head.phase, head.entries) == (Phase.MEASURING, len(entries))
        assert [one.outcome for one in store.ended(9)] == [Outcome.ABORTED]
        assert store.live(9) == [head]
        audit = examine(CHURN.key, head.entries, head.last_link, entries)
    assert (audit.faults, audit.unchained) == ((), len(entries))
    with closing(sqlite3.connect(first)) as opened:
        assert opened.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_a_rollout_of_the_first_schema_goes_on_and_its_history_is_chained(first: Path) -> None:
    with closing(SqliteStore(first)) as store:
        world = World(store=store)
        world.clock.time = store.load(CHURN).head.due_at or NOON
        old = len(store.history(CHURN.key))
        observed = store.load(CHURN).head.rollout
        assert observed
        world.azure.maps[:] = [(NOON, observed.observed)]

        world.tell(AbortRequested(id="now", who="anna"))
        rollout = world.run(minutes=5)
        head, entries = world.head, store.history(CHURN.key)

    assert rollout.outcome is Outcome.ABORTED
    audit = examine(CHURN.key, head.entries, head.last_link, entries)
    assert (audit.faults, audit.unchained) == ((), old)
    assert len(entries) > old


def test_messages_and_minutes_of_the_first_schema_are_kept(first: Path) -> None:
    with (
        closing(SqliteQueue(first, FakeClock(NOON + 2 * HOUR))) as queue,
        closing(SqliteSamples(first)) as samples,
    ):
        delivery = queue.receive("steps", NOON + 2 * HOUR, HOUR)
        minutes = samples.read(CHURN.key, "metrics", NOON - 3 * HOUR, NOON + 3 * HOUR)

    assert delivery
    assert delivery.message.id == "m1"
    assert minutes


def test_a_newer_store_is_refused_with_what_to_install(path: Path) -> None:
    SqliteStore(path).close()
    _newer(path)

    with pytest.raises(Unavailable, match="install the newer version"):
        SqliteStore(path)
