"""One table of the account, as it is read; what it refuses is explained."""

from collections.abc import Iterator, Sequence
from typing import Any

from azure.core.exceptions import ResourceNotFoundError

from rollout.adapters.azure.storage.account import Account
from rollout.adapters.azure.storage.answers import explaining, is_not_made
from rollout.adapters.azure.storage.rows import Row

_KEYS = ("PartitionKey", "RowKey")


class Table:
    """Every call raises Conflict, Unavailable, Refused or Unknown, as `explaining` tells them."""

    def __init__(self, account: Account, name: str) -> None:
        self._account = account
        self._name = name

    def row(self, partition: str, row: str) -> Row | None:
        with explaining(self._account.asked(self._name)):
            try:
                return self._account.table(self._name).get_entity(partition, row)
            except ResourceNotFoundError as error:
                if is_not_made(error):
                    raise
                return None

    def between(
        self,
        partition: str,
        first: str,
        end: str,
        *,
        page: int | None = None,
        wanted: tuple[str, ...] = (),
        of: str | None = None,
    ) -> Iterator[Row]:
        """The rows with keys in [first, end): whole, or of the wanted properties only.

        With `of` those alone whose property `key` it is: Azure reads the others, and sends none.
        """
        asked = "PartitionKey eq @partition and RowKey ge @first and RowKey lt @end"
        about = {"partition": partition, "first": first, "end": end}
        with explaining(self._account.asked(self._name)):
            yield from self._account.table(self._name).query_entities(
                asked if of is None else f"{asked} and key eq @of",
                parameters=about if of is None else {**about, "of": of},
                results_per_page=page,
                select=[*_KEYS, *wanted] if wanted else None,
            )

    def first_rows(self, after: str = "", *, select: list[str] | None = None) -> Iterator[Row]:
        """The first row of every partition behind that one, a request each."""
        while True:
            with explaining(self._account.asked(self._name)):
                rows = self._account.table(self._name).query_entities(
                    "PartitionKey gt @after",
                    parameters={"after": after},
                    results_per_page=1,
                    select=select,
                )
                row = next(iter(rows), None)
            if row is None:
                return
            yield row
            after = row["PartitionKey"]

    def send(self, operations: Sequence[Any]) -> Sequence[Any]:
        """One transaction: all of it or nothing; what came back of each, in order."""
        with explaining(self._account.asked(self._name)):
            return self._account.table(self._name).submit_transaction(operations)
