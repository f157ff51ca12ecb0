"""The past of endpoints in SQLite: what is kept, and what is removed behind a checkpoint."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import ValidationError

from rollout.adapters.sqlite.database import Database
from rollout.core.rollout import Rollout

_log = logging.getLogger(__name__)

_KEYS = "SELECT key FROM heads WHERE key > ? ORDER BY key LIMIT ?"
_ENDED = "SELECT id, body FROM rollouts WHERE key = ?"
_FORGET_ENTRIES = "DELETE FROM history WHERE key = ? AND number <= ?"
_FORGET_ROLLOUT = "DELETE FROM rollouts WHERE key = ? AND id = ?"


class SqliteArchive:
    """The port Archive. The database itself keeps entries that are behind no checkpoint."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)

    def close(self) -> None:
        self._database.close()

    def keys(self, after: str, limit: int) -> Sequence[str]:
        with self._database.reading() as connection:
            return [key for (key,) in connection.execute(_KEYS, (after, limit))]

    def ended_of(self, key: str) -> Sequence[Rollout]:
        with self._database.reading() as connection:
            rows = connection.execute(_ENDED, (key,)).fetchall()
        found = []
        for name, body in rows:
            try:
                found.append(Rollout.model_validate_json(body))
            except ValidationError:  # a newer version's: it stays
                _log.warning("left out: the rollout %s of %s cannot be read", name, key)
        return found

    def remove(self, key: str, through: int, rollouts: Collection[str]) -> int:
        with self._database.writing() as connection:
            removed = connection.execute(_FORGET_ENTRIES, (key, through)).rowcount
            for name in rollouts:
                removed += connection.execute(_FORGET_ROLLOUT, (key, name)).rowcount
        return removed
