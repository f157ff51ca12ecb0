"""The past of endpoints in Azure Tables: what is kept, and what is removed behind a checkpoint."""

import logging
from collections.abc import Collection, Sequence
from itertools import islice
from urllib.parse import unquote

from rollout.adapters.azure.storage.account import STATE, Account
from rollout.adapters.azure.storage.evidence import Evidence
from rollout.adapters.azure.storage.hints import TRANSACTION_ROWS_MAX
from rollout.adapters.azure.storage.places import Places
from rollout.adapters.azure.storage.rows import Row, Unreadable, escaped, unpacked
from rollout.adapters.azure.storage.table import Table
from rollout.core.head import Head
from rollout.core.rollout import Rollout
from rollout.errors import Refused

_HISTORY, _ROLLOUT = "history-", "rollout-"
_log = logging.getLogger(__name__)


class TableArchive:
    """The port Archive. Places and blobs are removed before the entries that have them."""

    def __init__(self, account: Account) -> None:
        self._table = Table(account, STATE)
        self._evidence = Evidence(account)
        self._places = Places(account)

    def keys(self, after: str, limit: int) -> Sequence[str]:
        """One request for each."""
        rows = self._table.first_rows(escaped(after), select=["PartitionKey"])
        return [unquote(row["PartitionKey"].replace("=", "%")) for row in islice(rows, limit)]

    def ended_of(self, key: str) -> Sequence[Rollout]:
        found = []
        for row in self._table.between(escaped(key), _ROLLOUT, "rollout."):
            try:
                found.append(unpacked(Rollout, row))
            except Unreadable as error:
                _log.warning("left out: %s", error)
        return found

    def remove(self, key: str, through: int, rollouts: Collection[str]) -> int:
        partition = escaped(key)
        self._check(partition, through)
        border = f"{_HISTORY}{through + 1:010d}"
        entries = list(self._table.between(partition, _HISTORY, border, wanted=("evidence",)))
        if entries:  # first of all: an entry that is left behind is removed by the next call
            self._places.forget(key, through, len(entries))
        self._forget_evidence(partition, border, entries)
        wanted = {f"{_ROLLOUT}{escaped(name)}" for name in rollouts}
        ended = (
            self._table.between(partition, _ROLLOUT, "rollout.", wanted=("ended_at",))
            if wanted
            else ()
        )
        names = [row["RowKey"] for row in entries]
        names += [row["RowKey"] for row in ended if row["RowKey"] in wanted]
        for start in range(0, len(names), TRANSACTION_ROWS_MAX):
            self._delete(partition, names[start : start + TRANSACTION_ROWS_MAX])
        return len(names)

    def _delete(self, partition: str, names: Sequence[str]) -> None:
        rows = [{"PartitionKey": partition, "RowKey": name} for name in names]
        self._table.send([("delete", row) for row in rows])

    def _check(self, partition: str, through: int) -> None:
        """Raises Refused for entries that are behind no checkpoint."""
        for row in self._table.between(partition, "head", "head."):
            pruned = unpacked(Head, row).pruned
            if through > (pruned.through if pruned else 0):
                raise Refused(f"{partition}: a history entry is removed only behind its checkpoint")

    def _forget_evidence(self, partition: str, border: str, entries: Sequence[Row]) -> None:
        """What another entry names as well stays: blobs are named by their content."""
        named = {row["evidence"] for row in entries if row.get("evidence")}
        if not named:
            return
        rest = self._table.between(partition, border, "history.", wanted=("evidence",))
        for name in named - {row.get("evidence") for row in rest}:
            self._evidence.forget(name)
