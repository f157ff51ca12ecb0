"""Rows that tell which endpoint may be due, live or ended: they may be false, never missing.

A hint is written before the head row that makes it true. Its key names the state of the head row
on which it was written: once the head row has another, a hint that is false can no longer become
true, and is removed by whoever finds it.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from azure.data.tables import UpdateMode

from rollout.adapters.azure.storage.account import HINTS, Account
from rollout.adapters.azure.storage.rows import escaped
from rollout.adapters.azure.storage.table import Table
from rollout.core.head import Head
from rollout.core.rollout import Phase
from rollout.errors import RolloutError
from rollout.ports import Held

PARTITION = "hints"
BUCKET = timedelta(minutes=1)
"""A head row that is due again in the same minute needs no new hint."""

TRANSACTION_ROWS_MAX = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LAST = 10**17
"""Micros count down from here, so that the latest comes first; it is in the year 5138."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hint:
    """One endpoint that may be due, live, or have a rollout that ended.

    `mark` names the state of the head row on which the hint was written; `at` is the bucket of a
    due time, or the time a rollout ended.
    """

    name: str
    key: str
    mark: str
    at: int = 0
    rollout: str = ""

    @property
    def place(self) -> tuple[str, str, int, str]:
        """What it hints at, whoever wrote it."""
        return self.name.partition("-")[0], self.key, self.at, self.rollout


def mark(etag: str | None) -> str:
    return hashlib.sha256((etag or "").encode()).hexdigest()[:12]


def bucket(at: datetime) -> int:
    return (at - _EPOCH) // BUCKET


def micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def due_hint(key: str, at: datetime, etag: str | None) -> Hint:
    number, seal = bucket(at), mark(etag)
    return Hint(f"due-{number:010d}-{seal}-{escaped(key)}", key, seal, number)


def back_hint(key: str, at: datetime, etag: str | None) -> Hint:
    number, seal = bucket(at), mark(etag)
    return Hint(f"back-{number:010d}-{seal}-{escaped(key)}", key, seal, number)


def live_hint(key: str, etag: str | None) -> Hint:
    return Hint(f"live-{escaped(key)}-{mark(etag)}", key, mark(etag))


def ended_hint(key: str, rollout: str, at: int, etag: str | None) -> Hint:
    seal = mark(etag)
    name = f"ended-{LAST - at:017d}-{seal}-{escaped(key)}-{escaped(rollout)}"
    return Hint(name, key, seal, at, rollout)


def told_hint(key: str, etag: str | None) -> Hint:
    """That an entry may have been saved which has no place in the feed yet."""
    return Hint(f"told-{escaped(key)}-{mark(etag)}", key, mark(etag))


def needed(held: Held, head: Head) -> Sequence[Hint]:
    """The hints without which the head would not be found; those of what is held are there."""
    key, before = head.endpoint.key, held.head if held.etag else None
    hints = []
    if head.due_at and _due_bucket(before) != bucket(head.due_at):
        hints.append(due_hint(key, head.due_at, held.etag))
    if head.due_at and _back_bucket(head) not in {None, _back_bucket(before)}:
        hints.append(back_hint(key, head.due_at, held.etag))
    if head.live and not (before and before.live):
        hints.append(live_hint(key, held.etag))
    if newly_over(held, head) and head.rollout:
        ended = micros(head.rollout.phase_since)
        hints.append(ended_hint(key, head.rollout.id, ended, held.etag))
    return hints


def newly_over(held: Held, head: Head) -> bool:
    """Whether the rollout is over, and is not the one that was saved as such already."""
    if head.rollout is None or not head.rollout.over:
        return False
    return held.etag is None or head.rollout != held.head.rollout


def _due_bucket(head: Head | None) -> int | None:
    return bucket(head.due_at) if head and head.due_at else None


def _back_bucket(head: Head | None) -> int | None:
    return _due_bucket(head) if head and head.phase is Phase.ROLLING_BACK else None


class Hints:
    """The hint rows: one partition, ordered by what is asked."""

    def __init__(self, account: Account) -> None:
        self._table = Table(account, HINTS)

    def write(self, hints: Sequence[Hint]) -> None:
        """One transaction for each hundred; nothing where nothing is needed."""
        for some in _hundreds(hints):
            replacing = {"mode": UpdateMode.REPLACE}
            self._table.send([("upsert", _row(hint), replacing) for hint in some])

    def due(self, before: datetime, kind: str = "due") -> Iterator[Hint]:
        """Those of all buckets that begin before that time, earliest first."""
        return self._between(f"{kind}-", f"{kind}-{bucket(before - _MICROSECOND) + 1:010d}")

    def live(self, after: str = "") -> Iterator[Hint]:
        """By the endpoint's key, those above that one."""
        found = self._between(f"live-{escaped(after)}", "live.")
        return (hint for hint in found if escaped(hint.key) > escaped(after))

    def told(self) -> Iterator[Hint]:
        """By the endpoint's key."""
        return self._between("told-", "told.")

    def ended(self, page: int, latest: int = LAST) -> Iterator[Hint]:
        """Of that time or before, latest first, asked for page by page."""
        return self._between(f"ended-{LAST - latest:017d}", "ended.", page)

    def all(self) -> Iterator[Hint]:
        return self._between("", "~")

    def remove(self, hints: Sequence[Hint]) -> None:
        """Remove what is false; what fails is found and tried again by the next reader."""
        for some in _hundreds(hints):
            try:
                self._table.send([("delete", _row(hint)) for hint in some])
            except RolloutError as error:  # another reader was faster, or the account is busy
                _log.info("%d old hints stay for now: %s", len(some), error)

    def _between(self, first: str, end: str, page: int | None = None) -> Iterator[Hint]:
        for row in self._table.between(PARTITION, first, end, page=page):
            yield Hint(row["RowKey"], row["key"], row["mark"], int(row["at"]), row["rollout"])


def _hundreds(hints: Sequence[Hint]) -> Iterator[Sequence[Hint]]:
    for start in range(0, len(hints), TRANSACTION_ROWS_MAX):
        yield hints[start : start + TRANSACTION_ROWS_MAX]


def _row(hint: Hint) -> dict[str, str]:
    return {
        "PartitionKey": PARTITION,
        "RowKey": hint.name,
        "key": hint.key,
        "mark": hint.mark,
        "at": str(hint.at),
        "rollout": hint.rollout,
    }
