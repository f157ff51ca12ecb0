"""The file itself: versions, damage, a full disk, and others who use it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rollout.adapters.sqlite.database import Database, to_datetime, to_micros
from rollout.adapters.sqlite.schema import MIGRATIONS
from rollout.adapters.sqlite.store import SqliteStore
from rollout.errors import Unavailable
from tests.adapters.contracts.rows import a_head, an_endpoint, an_entry
from tests.fakes import NOON


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rollout.db"


def pragma(path: Path, text: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"PRAGMA {text}").fetchone()


def test_a_new_file_has_the_newest_schema_and_a_write_ahead_log(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "rollout.db"
    with closing(Database(path)) as database:
        with database.reading() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)

        assert pragma(path, "user_version") == (len(MIGRATIONS),)
        assert pragma(path, "journal_mode") == ("wal",)


def test_an_older_file_is_brought_up_to_date_and_keeps_its_rows(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SqliteStore(path)) as store:
        kept = store.save(store.load(an_endpoint()), a_head())
    newer = (*MIGRATIONS, "ALTER TABLE heads ADD COLUMN colour TEXT; CREATE TABLE extra (a);")
    monkeypatch.setattr("rollout.adapters.sqlite.database.MIGRATIONS", newer)

    with closing(SqliteStore(path)) as store:
        assert store.load(an_endpoint()) == kept

    assert pragma(path, "user_version") == (len(newer),)


def test_a_migration_that_fails_leaves_the_old_schema(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SqliteStore(path)) as store:
        kept = store.save(store.load(an_endpoint()), a_head())
    newer = (*MIGRATIONS, "CREATE TABLE extra (a); NONSENSE;")
    with monkeypatch.context() as patch:
        patch.setattr("rollout.adapters.sqlite.database.MIGRATIONS", newer)
        with pytest.raises(Unavailable, match="syntax error"):
            Database(path)

    with closing(SqliteStore(path)) as store:
        assert store.load(an_endpoint()) == kept


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    Database(path).close()
    pragma(path, "user_version = 99")

    with pytest.raises(Unavailable, match=r"rollout\.db: .*newer .*schema 99.*install the newer"):
        Database(path)

    assert pragma(path, "user_version") == (99,)


def test_a_file_that_is_no_database_is_named_and_left_alone(path: Path) -> None:
    path.write_text("my shopping list" * 100)

    with pytest.raises(Unavailable, match=r"rollout\.db: file is not a database; .*another path"):
        Database(path)

    assert path.read_text() == "my shopping list" * 100


def test_a_damaged_file_is_named_with_the_remedy(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        for name in range(50):
            endpoint = an_endpoint(f"e{name}")
            store.save(store.load(endpoint), a_head(f"e{name}"))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)

    malformed = pytest.raises(Unavailable, match=r"rollout\.db: .*malformed; .*restore a backup")
    with malformed, closing(SqliteStore(path)) as store:
        store.load(an_endpoint("e7"))


@pytest.mark.parametrize("place", ["folder", "file/below"])
def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(Unavailable, match=rf"{place}: .*name a"):
        Database(tmp_path / place)


def test_a_read_only_file_refuses_saves_and_goes_on_answering(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        kept = store.save(store.load(an_endpoint()), a_head())
        with store._database.reading() as connection:
            connection.execute("PRAGMA query_only = 1")

        with pytest.raises(Unavailable, match=r"rollout\.db: .*readonly.*; make .* writable"):
            store.save(kept, a_head(due_at=NOON))

        assert store.load(an_endpoint()) == kept


def test_a_full_disk_loses_nothing_and_saving_goes_on_when_there_is_room(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        held = store.save(store.load(an_endpoint()), a_head(), an_entry(1))
        limit_pages(store, 1)
        with pytest.raises(Unavailable, match=r"rollout\.db: .*full; make room on the disk"):
            store.save(held, a_head(due_at=NOON), an_entry(2, why="x" * 100_000))

        assert store.load(an_endpoint()) == held
        assert store.history(an_endpoint().key) == [an_entry(1)]

        limit_pages(store, 100_000)
        saved = store.save(held, a_head(due_at=NOON), an_entry(2))
        assert store.load(an_endpoint()) == saved


def limit_pages(store: SqliteStore, pages: int) -> None:
    with store._database.reading() as connection:
        connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_file_held_by_another_is_waited_for_and_then_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SqliteStore(path)) as store, closing(Database(path)) as other:
        with store._database.reading() as connection:
            connection.execute("PRAGMA busy_timeout = 1")
        with other.writing(), pytest.raises(Unavailable, match=r"locked; another process"):
            store.save(store.load(an_endpoint()), a_head())

        assert store.load(an_endpoint()).etag is None


def test_whatever_breaks_off_a_transaction_undoes_it(path: Path) -> None:
    with closing(Database(path)) as database:
        with pytest.raises(KeyboardInterrupt):
            break_off(database)

        with database.writing() as connection:
            assert connection.execute("SELECT count(*) FROM sent").fetchone() == (0,)


def break_off(database: Database) -> None:
    with database.writing() as connection:
        connection.execute("INSERT INTO sent VALUES ('q', 'm', 1)")
        raise KeyboardInterrupt


def test_times_are_kept_to_the_microsecond() -> None:
    for at in (NOON, NOON.replace(microsecond=1), NOON.replace(microsecond=999_999)):
        assert to_datetime(to_micros(at)) == at
