"""The minutes read so far in SQLite, in chunks of one hour."""

from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rollout.adapters.sqlite.database import MICROSECOND, Database, to_datetime, to_micros
from rollout.analysis.samples import Counts
from rollout.errors import Unavailable
from rollout.ports import Minutes

_HOUR = timedelta(hours=1) // MICROSECOND
_CHUNK = TypeAdapter(dict[int, dict[str, Counts]])

_LOAD = "SELECT body FROM samples WHERE key = ? AND source = ? AND hour = ?"
_SAVE = "INSERT OR REPLACE INTO samples (key, source, hour, body) VALUES (?, ?, ?, ?)"
_READ = """
    SELECT body FROM samples WHERE key = ? AND source = ? AND hour BETWEEN ? AND ? ORDER BY hour
"""
_SOURCES = "SELECT DISTINCT source FROM samples WHERE key = ?"
_FORGET = "DELETE FROM samples WHERE key = ? AND source = ? AND hour <= ?"

Chunk = dict[int, dict[str, Counts]]
"""Counts by the minute's start in microseconds and the deployment's name."""


class SqliteSamples:
    """The port Samples. A power cut may cost the last minutes; they can be read again."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, synchronous="NORMAL")

    def close(self) -> None:
        self._database.close()

    def save(self, key: str, source: str, minutes: Minutes) -> None:
        chunks: defaultdict[int, Chunk] = defaultdict(dict)
        for at, arms in minutes.items():
            chunks[_hour(at)][to_micros(at)] = dict(arms)
        with self._database.writing() as connection:
            for hour, late in chunks.items():
                row = connection.execute(_LOAD, (key, source, hour)).fetchone()
                whole = (self._parse(row[0]) if row else {}) | late
                body = _CHUNK.dump_json(whole, exclude_defaults=True).decode()
                connection.execute(_SAVE, (key, source, hour, body))

    def read(self, key: str, source: str, since: datetime, until: datetime) -> Minutes:
        """The minutes that start in [since, until), in order."""
        place = (key, source, _hour(since), _hour(until))
        with self._database.reading() as connection:
            rows = connection.execute(_READ, place).fetchall()
        found = {
            to_datetime(at): arms for (body,) in rows for at, arms in self._parse(body).items()
        }
        return {at: found[at] for at in sorted(found) if since <= at < until}

    def forget(self, key: str, before: datetime) -> None:
        last = to_micros(before) - _HOUR
        with self._database.writing() as connection:
            for (source,) in connection.execute(_SOURCES, (key,)).fetchall():
                connection.execute(_FORGET, (key, source, last))

    def _parse(self, body: str) -> Chunk:
        try:
            return _CHUNK.validate_json(body)
        except ValidationError as error:
            raise Unavailable(
                f"{self._database.path}: an hour of samples cannot be read;"
                " if a newer version of rollout wrote it, install that"
            ) from error


def _hour(at: datetime) -> int:
    return to_micros(at) // _HOUR * _HOUR
