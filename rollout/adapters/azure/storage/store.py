"""Head rows, histories and finished rollouts in Azure Tables, one partition for each endpoint."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby, islice
from typing import Any, TypeVar
from uuid import uuid4

from azure.core import MatchConditions
from azure.data.tables import UpdateMode
from pydantic_core import to_json

from rollout.adapters.azure.storage.account import STATE, Account
from rollout.adapters.azure.storage.evidence import Evidence
from rollout.adapters.azure.storage.hints import (
    LAST,
    Hint,
    Hints,
    bucket,
    ended_hint,
    mark,
    micros,
    needed,
    newly_over,
    told_hint,
)
from rollout.adapters.azure.storage.places import Places
from rollout.adapters.azure.storage.rows import Row, Unreadable, escaped, packed, unpacked
from rollout.adapters.azure.storage.table import Table
from rollout.core.endpoint import EndpointId
from rollout.core.frozen import Frozen
from rollout.core.head import Head, HistoryEntry
from rollout.core.rollout import Phase, Rollout
from rollout.errors import Conflict, RolloutError, Unavailable, Unknown
from rollout.feed_ports import Page, Told
from rollout.ports import Ended, Held

ENTRY_BYTES_MAX = 8 * 1024
"""The numbers of a larger history entry are kept apart."""

_HEAD = "head"  # sorts before `history-` and `rollout-`: the first row of every partition
_log = logging.getLogger(__name__)

Operation = Any
"""One part of a transaction, as the SDK takes it."""

Kind = TypeVar("Kind", bound=Frozen)


class TableStore:
    """The port Store. A load is one request; a save is one transaction, and at most one of hints.

    A row that this version cannot read raises Unavailable where it alone is asked for; in a list
    it is left out, with a warning that names it, so that it does not stop the others.
    """

    def __init__(self, account: Account) -> None:
        self._table = Table(account, STATE)
        self._hints = Hints(account)
        self._evidence = Evidence(account)
        self._places = Places(account)

    # -- one endpoint --------------------------------------------------------------------------

    def load(self, endpoint: EndpointId) -> Held:
        return self._load(endpoint.key) or Held(Head(endpoint=endpoint), None)

    def load_key(self, key: str) -> Held:
        held = self._load(key)
        if held is None:
            raise Unknown(f"nothing is kept of an endpoint {key}")
        return held

    def save(self, held: Held, head: Head, entry: HistoryEntry | None = None) -> Held:
        partition, write = escaped(head.endpoint.key), str(uuid4())
        row = {**packed(partition, _HEAD, _json(head)), "write": write}
        operations = [_create(row) if held.etag is None else _replace(row, held.etag)]
        if entry:
            operations.append(_create(self._entry_row(partition, entry)))
        if head.rollout and newly_over(held, head):
            operations.append(_ended_row(partition, head.rollout))
        news = (told_hint(head.endpoint.key, held.etag),) if entry else ()
        self._hints.write([*needed(held, head), *news])
        return Held(head, self._commit(partition, write, operations))

    def rollout(self, key: str, rollout_id: str) -> Rollout | None:
        held = self._load(key)
        if held and held.head.rollout and held.head.rollout.id == rollout_id:
            return held.head.rollout
        return self._ended(key, rollout_id)

    def history(self, key: str, after: int = 0, limit: int = 1000) -> Sequence[HistoryEntry]:
        rows = self._table.between(escaped(key), f"history-{after + 1:010d}", "history.")
        return list(islice(_readable(self._entry, rows), limit))

    # -- all endpoints -------------------------------------------------------------------------

    def due(self, before: datetime, limit: int) -> Sequence[Head]:
        return self._due(self._hints.due(before), before, limit, lambda head: head.due_at)

    def going_back(self, before: datetime, limit: int) -> Sequence[Head]:
        return self._due(self._hints.due(before, "back"), before, limit, _back_at)

    def _due(
        self,
        hints: Iterable[Hint],
        before: datetime,
        limit: int,
        when: Callable[[Head], datetime | None],
    ) -> Sequence[Head]:
        """Those whose time has come, by hints in buckets of a minute; false hints are removed."""
        found, false = dict[str, Head](), list[Hint]()
        for at, some in groupby(self._held_by(hints), key=lambda one: one[0].at):
            for hint, one in some:
                due_at = when(one.head) if one else None
                if one and due_at and bucket(due_at) <= at and due_at < before:
                    found[hint.key] = one.head
                if due_at is None or bucket(due_at) != at:
                    false += _past(hint, one)
            if len(found) >= limit:
                break
        self._hints.remove(false)
        return sorted(found.values(), key=_due_order)[:limit]

    def live(self, limit: int, after: str = "") -> Sequence[Head]:
        found, false = dict[str, Head](), list[Hint]()
        for hint, held in self._held_by(self._hints.live(after)):
            if held and held.head.live:
                found[hint.key] = held.head
            else:
                false += _past(hint, held)
            if len(found) == limit:
                break
        self._hints.remove(false)
        return list(found.values())

    def ended(self, limit: int, after: Ended | None = None) -> Sequence[Rollout]:
        """Hints of one time are in no order of their own; a rollout may have several."""
        found, false = dict[str, Rollout](), list[Hint]()
        behind = (micros(after[0]), after[1]) if after else (LAST, "")
        for _, some in groupby(self._hints.ended(limit, behind[0]), key=lambda hint: hint.at):
            for hint in sorted(some, key=lambda hint: hint.rollout, reverse=True):
                if (hint.at, hint.rollout) >= behind or len(found) == limit:
                    continue
                try:
                    rollout = self._ended(hint.key, hint.rollout)
                    if rollout and micros(rollout.phase_since) == hint.at:
                        found[rollout.id] = rollout
                    else:
                        false += _past(hint, self._load(hint.key))
                except Unreadable as error:
                    _log.warning("left out: %s", error)
            if len(found) == limit:
                break
        self._hints.remove(false)
        return list(found.values())

    def feed(self, after: int | None, limit: int, key: str | None = None) -> Page:
        """Whoever reads gives what was saved since its place: a save itself waits for no place."""
        self._give_places()
        places, until = self._places.read(after, limit, key)
        found: dict[tuple[str, int], HistoryEntry] = {}
        for owner in dict.fromkeys(one.key for one in places):
            found |= self._entries_at(owner, [one.number for one in places if one.key == owner])
        told = ((one, found.get((one.key, one.number))) for one in places)
        return Page([Told(one.sequence, one.key, entry) for one, entry in told if entry], until)

    def _give_places(self) -> None:
        """A hint is past when all that was saved on its state of the row has its place."""
        false = list[Hint]()
        for hint, held in self._held_by(self._hints.told()):
            if held is None or self._places.give(hint.key, held.head.entries):
                false += _past(hint, held)
        self._hints.remove(false)

    def _entries_at(self, key: str, numbers: Sequence[int]) -> dict[tuple[str, int], HistoryEntry]:
        first, last = min(numbers), max(numbers)
        rows = self._table.between(
            escaped(key), f"history-{first:010d}", f"history-{last + 1:010d}"
        )
        return {(key, entry.number): entry for entry in _readable(self._entry, rows)}

    def repair(self) -> int:
        """Two requests for each endpoint, and one for each thousand hints, or places."""
        known = {hint.place for hint in self._hints.all()}
        lost = {hint.place: hint for hint in self._wanted() if hint.place not in known}
        self._hints.write(list(lost.values()))
        self._give_places()
        return len(lost)

    def _wanted(self) -> Iterator[Hint]:
        """The hints without which something would not be found."""
        placed = self._places.given()
        for row in self._table.first_rows():
            try:
                head, etag = unpacked(Head, row), _etag(row)
            except Unreadable as error:
                _log.warning("left out: %s", error)
                continue
            yield from needed(Held(Head(endpoint=head.endpoint), etag), head)
            if head.entries > placed.get(head.endpoint.key, 0):
                yield told_hint(head.endpoint.key, etag)
            for one in self._table.between(row["PartitionKey"], "rollout-", "rollout."):
                yield ended_hint(head.endpoint.key, one["rollout"], int(one["ended_at"]), etag)

    # -- rows ----------------------------------------------------------------------------------

    def _load(self, key: str) -> Held | None:
        row = self._table.row(escaped(key), _HEAD)
        return Held(unpacked(Head, row), _etag(row)) if row else None

    def _ended(self, key: str, rollout_id: str) -> Rollout | None:
        row = self._table.row(escaped(key), f"rollout-{escaped(rollout_id)}")
        return unpacked(Rollout, row) if row else None

    def _held_by(self, hints: Iterable[Hint]) -> Iterator[tuple[Hint, Held | None]]:
        """Each hint with its head row as it is now: read once, and after all hints were."""
        read, unreadable = dict[str, Held | None](), set[str]()
        for hint in list(hints):
            if hint.key not in read and hint.key not in unreadable:
                try:
                    read[hint.key] = self._load(hint.key)
                except Unreadable as error:
                    unreadable.add(hint.key)
                    _log.warning("left out: %s", error)
            if hint.key in read:
                yield hint, read[hint.key]

    def _commit(self, partition: str, write: str, operations: Sequence[Any]) -> str:
        """The row's new etag. Where the answer was lost, the row tells whether it was our write."""
        try:
            return str(self._table.send(operations)[0]["etag"])
        except (Conflict, Unavailable) as error:
            row = self._found_after(partition, error)
            if row is not None and row.get("write") == write:
                return _etag(row)
            if isinstance(error, Unavailable):
                raise
            raise Conflict(f"{partition}: another worker wrote first") from error

    def _found_after(self, partition: str, error: RolloutError) -> Row | None:
        try:
            return self._table.row(partition, _HEAD)
        except RolloutError:
            raise error from None

    def _entry_row(self, partition: str, entry: HistoryEntry) -> Row:
        name, body = f"history-{entry.number:010d}", _json(entry)
        if len(body.encode()) <= ENTRY_BYTES_MAX:
            return packed(partition, name, body)
        kept = self._evidence.keep(to_json(entry.numbers))
        if kept is None:
            return packed(partition, name, body)
        short = _json(entry.model_copy(update={"numbers": {}}))
        return {**packed(partition, name, short), "evidence": kept}

    def _entry(self, row: Row) -> HistoryEntry:
        if "evidence" not in row:
            return unpacked(HistoryEntry, row)
        return unpacked(HistoryEntry, row, numbers=self._evidence.numbers(row["evidence"]))


def _readable(parse: Callable[[Row], Kind], rows: Iterable[Row]) -> Iterator[Kind]:
    for row in rows:
        try:
            yield parse(row)
        except Unreadable as error:
            _log.warning("left out: %s", error)


def _past(hint: Hint, held: Held | None) -> Sequence[Hint]:
    """The hint, where the head row has moved on since it was written: nobody can make it true."""
    return () if mark(held.etag if held else None) == hint.mark else (hint,)


def _back_at(head: Head) -> datetime | None:
    return head.due_at if head.phase is Phase.ROLLING_BACK else None


def _due_order(head: Head) -> tuple[int, str]:
    assert head.due_at is not None, head
    return micros(head.due_at), head.endpoint.key


def _json(value: Frozen) -> str:
    return value.model_dump_json(by_alias=True)


def _etag(row: Row) -> str:
    return str(row.metadata["etag"])


def _create(row: Row) -> Operation:
    return "create", row


def _replace(row: Row, etag: str) -> Operation:
    under = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
    return "update", row, {"mode": UpdateMode.REPLACE, **under}


def _ended_row(partition: str, rollout: Rollout) -> Operation:
    row = packed(partition, f"rollout-{escaped(rollout.id)}", _json(rollout))
    told = {"rollout": rollout.id, "ended_at": str(micros(rollout.phase_since))}
    return "upsert", {**row, **told}, {"mode": UpdateMode.REPLACE}
