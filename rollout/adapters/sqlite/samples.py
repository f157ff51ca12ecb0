"""The minutes read so far in SQLite, in chunks of one hour."""

from datetime import datetime
from pathlib import Path

from rollout.adapters import chunks
from rollout.adapters.sqlite.database import Database, to_micros
from rollout.errors import Unavailable
from rollout.ports import Minutes

_LOAD = "SELECT body FROM samples WHERE key = ? AND source = ? AND hour = ?"
_SAVE = "INSERT OR REPLACE INTO samples (key, source, hour, body) VALUES (?, ?, ?, ?)"
_READ = """
    SELECT body FROM samples WHERE key = ? AND source = ? AND hour BETWEEN ? AND ? ORDER BY hour
"""
_SOURCES = "SELECT DISTINCT source FROM samples WHERE key = ?"
_FORGET = "DELETE FROM samples WHERE key = ? AND source = ? AND hour <= ?"


class SqliteSamples:
    """The port Samples. A power cut may cost the last minutes; they can be read again."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, synchronous="NORMAL")

    def close(self) -> None:
        self._database.close()

    def save(self, key: str, source: str, minutes: Minutes) -> None:
        with self._database.writing() as connection:
            for hour, late in chunks.by_hour(minutes).items():
                place = (key, source, to_micros(hour))
                row = connection.execute(_LOAD, place).fetchone()
                whole = {**(self._parse(row[0]) if row else {}), **late}
                connection.execute(_SAVE, (*place, chunks.dump(whole).decode()))

    def read(self, key: str, source: str, since: datetime, until: datetime) -> Minutes:
        """The minutes that start in [since, until), in order."""
        place = (key, source, to_micros(chunks.hour(since)), to_micros(chunks.hour(until)))
        with self._database.reading() as connection:
            rows = connection.execute(_READ, place).fetchall()
        found = {at: arms for (body,) in rows for at, arms in self._parse(body).items()}
        return chunks.part(found, since, until)

    def forget(self, key: str, before: datetime) -> None:
        last = to_micros(before - chunks.HOUR)
        with self._database.writing() as connection:
            for (source,) in connection.execute(_SOURCES, (key,)).fetchall():
                connection.execute(_FORGET, (key, source, last))

    def _parse(self, body: str) -> Minutes:
        minutes = chunks.parse(body)
        if minutes is None:
            raise Unavailable(
                f"{self._database.path}: an hour of samples cannot be read;"
                " if a newer version of rollout wrote it, install that"
            )
        return minutes
