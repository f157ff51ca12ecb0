"""The place of every history entry among those of all endpoints: a partition that only grows.

One row counts the places that are given, one for each endpoint tells up to which entry they are.
A transaction moves both on and adds the new places, or does nothing: whoever is slower tries again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

from azure.core import MatchConditions
from azure.data.tables import UpdateMode

from rollout.adapters.azure.storage.account import HINTS, Account
from rollout.adapters.azure.storage.hints import TRANSACTION_ROWS_MAX
from rollout.adapters.azure.storage.rows import Row, escaped
from rollout.adapters.azure.storage.table import Table
from rollout.errors import Conflict

PARTITION = "feed"
AT_ONCE_MAX = 98
"""A transaction has at most a hundred rows, of which two count."""
PAGE_MAX = 1000
TRIES = 5

_COUNT = "count"


@dataclass(frozen=True, slots=True)
class Place:
    sequence: int
    key: str
    number: int


class Places:
    def __init__(self, account: Account) -> None:
        self._table = Table(account, HINTS)

    def give(self, key: str, entries: int) -> bool:
        """Give the endpoint's entries up to that number their places; False where others did so."""
        for _ in range(TRIES):
            count, given = self._row(_COUNT), self._row(f"given-{escaped(key)}")
            first = _number(given) + 1
            numbers = range(first, min(entries, first + AT_ONCE_MAX - 1) + 1)
            if not numbers:
                return True
            try:
                self._append(key, count, given, numbers)
            except Conflict:
                continue
            if numbers[-1] == entries:
                return True
        return False

    def given(self) -> Mapping[str, int]:
        """By endpoint's key: up to which entry places are given."""
        return {row["key"]: _number(row) for row in self._between("given-", "given.")}

    def read(self, after: int | None, limit: int, key: str | None) -> tuple[Sequence[Place], int]:
        """The places above that one, and up to where there are no others."""
        end = _number(self._row(_COUNT))
        begin = end if after is None else min(after, end)
        if begin == end:
            return (), end
        rows = self._between(f"place-{begin + 1:012d}", f"place-{end + 1:012d}", limit)
        kept = (row for row in rows if key in {None, row["key"]})
        found = [
            Place(int(row["RowKey"][6:]), row["key"], _number(row)) for row in islice(kept, limit)
        ]
        return found, found[-1].sequence if found and len(found) == limit else end

    def forget(self, key: str, through: int, entries: int) -> None:
        """Remove the places of the endpoint's entries up to that number; they come in its order.

        `entries` tells how many they are: the table reads on to the first one that stays, and not
        through all that came later.
        """
        rows = self._table.between(
            PARTITION,
            "place-",
            "place.",
            page=min(entries + 1, PAGE_MAX),
            wanted=("key", "number"),
            of=key,
        )
        names = [row["RowKey"] for row in takewhile(lambda row: _number(row) <= through, rows)]
        for start in range(0, len(names), TRANSACTION_ROWS_MAX):
            some = names[start : start + TRANSACTION_ROWS_MAX]
            self._table.send(
                [("delete", {"PartitionKey": PARTITION, "RowKey": name}) for name in some]
            )

    def _append(self, key: str, count: Row | None, given: Row | None, numbers: range) -> None:
        begin = _number(count)
        operations: list[Any] = [
            _moved_on(count, _COUNT, "", begin + len(numbers)),
            _moved_on(given, f"given-{escaped(key)}", key, numbers[-1]),
        ]
        operations += [
            ("create", _as_row(f"place-{begin + place:012d}", key, number))
            for place, number in enumerate(numbers, 1)
        ]
        self._table.send(operations)

    def _row(self, name: str) -> Row | None:
        return self._table.row(PARTITION, name)

    def _between(self, first: str, end: str, page: int = PAGE_MAX) -> Iterator[Row]:
        return self._table.between(PARTITION, first, end, page=min(page, PAGE_MAX))


def _number(row: Row | None) -> int:
    return int(row["number"]) if row else 0


def _as_row(name: str, key: str, number: int) -> dict[str, str]:
    return {"PartitionKey": PARTITION, "RowKey": name, "key": key, "number": str(number)}


def _moved_on(row: Row | None, name: str, key: str, number: int) -> Any:  # noqa: ANN401
    new = _as_row(name, key, number)
    if row is None:
        return "create", new
    under = {"etag": row.metadata["etag"], "match_condition": MatchConditions.IfNotModified}
    return "update", new, {"mode": UpdateMode.REPLACE, **under}
