"""Head rows, histories and finished rollouts in SQLite."""

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from rollout.adapters.sqlite.database import Database, to_micros
from rollout.adapters.sqlite.feed import read_feed
from rollout.core.endpoint import EndpointId
from rollout.core.frozen import Frozen
from rollout.core.head import Head, HistoryEntry
from rollout.core.rollout import Phase, Rollout
from rollout.errors import Conflict, Unavailable, Unknown
from rollout.feed_ports import Page, Told
from rollout.ports import Ended, Held

_log = logging.getLogger(__name__)

_LOAD = "SELECT body, etag FROM heads WHERE key = ?"
_INSERT = """
    INSERT OR IGNORE INTO heads (due_at, live, back, pruned, body, key, etag)
    VALUES (?, ?, ?, ?, ?, ?, 1)
"""
_REPLACE = """
    UPDATE heads SET due_at = ?, live = ?, back = ?, pruned = ?, body = ?, etag = etag + 1
    WHERE key = ? AND etag = ?
"""
_ADD_ENTRY = "INSERT OR IGNORE INTO history (key, number, body) VALUES (?, ?, ?)"
_PUT_ENDED = "INSERT OR REPLACE INTO rollouts (key, id, ended_at, body) VALUES (?, ?, ?, ?)"
_DUE = "SELECT key, body FROM heads WHERE due_at < ? ORDER BY due_at, key"
_BACK = "SELECT key, body FROM heads WHERE back = 1 AND due_at < ? ORDER BY due_at, key"
_LIVE = "SELECT key, body FROM heads WHERE live = 1 AND key > ? ORDER BY key"
_ENDED = """
    SELECT key || ' ' || id, body FROM rollouts WHERE (ended_at, id) < (?, ?)
    ORDER BY ended_at DESC, id DESC
"""
_LAST_MICROS = 2**63 - 1
_ENDED_ONE = "SELECT body FROM rollouts WHERE key = ? AND id = ?"
_HISTORY = """
    SELECT key || ' ' || number, body FROM history WHERE key = ? AND number > ? ORDER BY number
"""

Row = TypeVar("Row", bound=Frozen)


class SqliteStore:
    """The port Store. A save is on disk when it returns.

    A row that this version cannot read raises Unavailable where it alone is asked for; in a list
    it is left out, with a warning that names it, so that it does not stop the others.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path)

    def close(self) -> None:
        self._database.close()

    def load(self, endpoint: EndpointId) -> Held:
        return self._load(endpoint.key) or Held(Head(endpoint=endpoint), None)

    def load_key(self, key: str) -> Held:
        held = self._load(key)
        if held is None:
            raise Unknown(f"nothing is kept of an endpoint {key}")
        return held

    def save(self, held: Held, head: Head, entry: HistoryEntry | None = None) -> Held:
        with self._database.writing() as connection:
            _replace(connection, held.etag, head)
            if entry:
                _add_entry(connection, head.endpoint.key, entry)
            if head.rollout and head.rollout.over:
                _put_ended(connection, head.endpoint.key, head.rollout)
        return Held(head, str(int(held.etag or 0) + 1))

    def due(self, before: datetime, limit: int) -> Sequence[Head]:
        return self._rows(Head, _DUE, (to_micros(before),), limit)

    def going_back(self, before: datetime, limit: int) -> Sequence[Head]:
        return self._rows(Head, _BACK, (to_micros(before),), limit)

    def live(self, limit: int, after: str = "") -> Sequence[Head]:
        return self._rows(Head, _LIVE, (after,), limit)

    def ended(self, limit: int, after: Ended | None = None) -> Sequence[Rollout]:
        behind = (to_micros(after[0]), after[1]) if after else (_LAST_MICROS, "")
        return self._rows(Rollout, _ENDED, behind, limit)

    def rollout(self, key: str, rollout_id: str) -> Rollout | None:
        held = self._load(key)
        if held and held.head.rollout and held.head.rollout.id == rollout_id:
            return held.head.rollout
        with self._database.reading() as connection:
            row = connection.execute(_ENDED_ONE, (key, rollout_id)).fetchone()
        return self._parse(Rollout, f"{key} {rollout_id}", row[0]) if row else None

    def history(self, key: str, after: int = 0, limit: int = 1000) -> Sequence[HistoryEntry]:
        return self._rows(HistoryEntry, _HISTORY, (key, after), limit)

    def feed(self, after: int | None, limit: int, key: str | None = None) -> Page:
        """The place of an entry is of the same transaction as the entry, and writers take turns."""
        with self._database.reading() as connection:
            rows, until = read_feed(connection, after, limit, key)
        told = []
        for sequence, owner, number, body in rows:
            try:
                entry = self._parse(HistoryEntry, f"{owner} {number}", body)
            except Unavailable as error:
                _log.warning("left out: %s", error)
                continue
            told.append(Told(sequence, owner, entry))
        return Page(told, until)

    def repair(self) -> int:
        """The indexes are of the same transaction as the rows: they miss nothing."""
        return 0

    def _load(self, key: str) -> Held | None:
        with self._database.reading() as connection:
            row = connection.execute(_LOAD, (key,)).fetchone()
        return Held(self._parse(Head, key, row[0]), str(row[1])) if row else None

    def _rows(
        self, kind: type[Row], statement: str, values: tuple[str | int, ...], limit: int
    ) -> Sequence[Row]:
        """Take the first that can be read: those that cannot do not use up the limit."""
        with self._database.reading() as connection:
            cursor = connection.execute(statement, values)
            try:
                return list(islice(self._readable(kind, cursor), limit))
            finally:
                cursor.close()

    def _readable(self, kind: type[Row], rows: Iterable[tuple[str, str]]) -> Iterator[Row]:
        for name, body in rows:
            try:
                yield self._parse(kind, name, body)
            except Unavailable as error:
                _log.warning("left out: %s", error)

    def _parse(self, kind: type[Row], name: str, body: str) -> Row:
        try:
            return kind.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise Unavailable(
                f"{self._database.path}: the {kind.__name__} of {name} cannot be read"
                f" ({place}: {first['msg']}); if a newer version of rollout wrote it, install that"
            ) from error


def _replace(connection: sqlite3.Connection, etag: str | None, head: Head) -> None:
    key = head.endpoint.key
    due_at = to_micros(head.due_at) if head.due_at else None
    back = head.phase is Phase.ROLLING_BACK
    pruned = head.pruned.through if head.pruned else 0
    columns = (due_at, head.live, back, pruned, head.model_dump_json(by_alias=True), key)
    if etag is None:
        written = connection.execute(_INSERT, columns)
    else:
        written = connection.execute(_REPLACE, (*columns, int(etag)))
    if not written.rowcount:
        raise Conflict(f"{key}: another worker wrote first")


def _add_entry(connection: sqlite3.Connection, key: str, entry: HistoryEntry) -> None:
    body = entry.model_dump_json(by_alias=True)
    if not connection.execute(_ADD_ENTRY, (key, entry.number, body)).rowcount:
        raise Conflict(f"{key}: entry {entry.number} is there already")


def _put_ended(connection: sqlite3.Connection, key: str, rollout: Rollout) -> None:
    body = rollout.model_dump_json(by_alias=True)
    connection.execute(_PUT_ENDED, (key, rollout.id, to_micros(rollout.phase_since), body))
