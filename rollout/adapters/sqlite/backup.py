"""A copy of the embedded store while it is in use, and the store put back from one."""

import sqlite3
from contextlib import closing
from pathlib import Path

from rollout.adapters.sqlite.database import Database
from rollout.adapters.sqlite.schema import MIGRATIONS
from rollout.errors import Conflict, Malformed, Unknown

KEPT = ".before-restore"


def back_up(store: Path, to: Path) -> int:
    """Copy the store whole, as it is at one moment; returns its bytes.

    The copy is one file without a write-ahead log; an older file of that name is replaced when
    the new one is whole. It is copied in one read, which holds up no writer: in steps it would
    begin anew after every write of a controller. Raises Unknown where there is no store, and
    sqlite3.Error.
    """
    if not store.exists():
        raise Unknown(f"there is no store at {store}")
    partial = to.with_name(f".{to.name}.partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        check(partial)
        partial.replace(to)
    finally:
        partial.unlink(missing_ok=True)
    return to.stat().st_size


def check(path: Path) -> int:
    """The schema of a whole store; raises Malformed with what is wrong and what to do."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as opened:
            version = int(opened.execute("PRAGMA user_version").fetchone()[0])
            found = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {name for (name,) in found}
            damage = str(opened.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise Malformed(f"{path}: {error}; name a file that `rollout backup` wrote") from error
    if not version or not {"heads", "history"} <= tables:
        raise Malformed(f"{path}: it holds no store; name a file that `rollout backup` wrote")
    if version > len(MIGRATIONS):
        raise Malformed(
            f"{path}: written by a newer version of rollout (schema {version}, this one knows"
            f" {len(MIGRATIONS)}); install the newer version"
        )
    if damage != "ok":
        raise Malformed(f"{path}: it is damaged ({damage}); take another backup")
    return version


def restore(store: Path, source: Path) -> Path | None:
    """Put the store back from a copy; returns where the one before is kept, if there was one.

    Raises Malformed for a copy that is none, and Conflict while anybody has the store open.
    """
    check(source)
    store.parent.mkdir(parents=True, exist_ok=True)
    partial = store.with_name(f".{store.name}.partial")
    partial.unlink(missing_ok=True)
    back_up(source, partial)
    kept = store.with_name(store.name + KEPT) if store.exists() else None
    if kept:
        _close_log(store)
        store.replace(kept)
    partial.replace(store)
    Database(store).close()
    return kept


def _close_log(store: Path) -> None:
    """Bring the write-ahead log into the file; it goes only where nobody else has it open."""
    try:
        with closing(sqlite3.connect(store, timeout=0)) as opened:
            opened.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        raise Conflict(f"{store}: {error}: another process has it open; stop it first") from error
    except sqlite3.DatabaseError:  # damaged: why it is to be replaced
        for log in ("-wal", "-shm"):
            store.with_name(store.name + log).unlink(missing_ok=True)
