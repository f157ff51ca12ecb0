"""Every history entry carries the hash of the one before, so that a later change is found."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import from_json, to_json

from rollout.core.head import Checkpoint, HistoryEntry

TOLD_MAX = 20

PRUNED = "HistoryPruned"
"""The event of an entry that tells of a checkpoint, in its numbers under REMOVED."""

REMOVED = "removed"


def first_link(key: str) -> str:
    """What the first entry of an endpoint follows: the hash of the endpoint's key."""
    return hashlib.sha256(key.encode()).hexdigest()


def link(entry: HistoryEntry) -> str:
    """The hash of an entry: sha256 of its JSON with sorted keys, fields at their default left out.

    So an entry keeps its hash when a later version adds a field.
    """
    written = from_json(entry.model_dump_json(exclude_defaults=True))
    return hashlib.sha256(to_json(_sorted(written))).hexdigest()


def beginning(key: str, pruned: Checkpoint | None) -> Checkpoint:
    """What the first entry that is there follows: a checkpoint, or the endpoint's key."""
    return pruned or Checkpoint(through=0, link=first_link(key))


def passed(entry: HistoryEntry, key: str, before: Checkpoint) -> Checkpoint:
    """The same one entry further; entries from before there were hashes are followed by the key."""
    chained = entry.previous is not None or before.link != first_link(key)
    return Checkpoint(through=entry.number, link=link(entry) if chained else before.link)


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_sorted(one) for one in value]
    return value


@dataclass(frozen=True, slots=True)
class Audit:
    """What a look through one endpoint's history found.

    `unchained` counts entries from before there were hashes: of those only numbers are checked.
    """

    entries: int
    unchained: int
    faults: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.faults


def examine(
    key: str,
    written: int,
    last: str | None,
    entries: Sequence[HistoryEntry],
    pruned: Checkpoint | None = None,
    *,
    part: bool = False,
) -> Audit:
    """Find what was changed, taken out, put elsewhere or cut off.

    `written` and `last` are what the head row knows: how many entries, and the hash of the last;
    and behind which checkpoint they were removed. An entry in the chain has to tell of that too,
    unless this is a `part` of a history that was copied out of the middle.
    """
    faults, expected = list[str](), beginning(key, pruned).link
    number = start = beginning(key, pruned).through
    chained = expected != first_link(key)
    entries = [entry for entry in entries if entry.number > start] if start else entries
    for entry in entries:
        gap = entry.number != number + 1
        if gap:
            faults.append(_gap(number, entry.number))
        if entry.previous is not None and entry.previous != expected and not gap:
            faults.append(_broken(number, entry.number, start))
        if entry.previous is None and chained:
            faults.append(f"entry {entry.number} has lost the hash of the one before")
        chained = chained or entry.previous is not None
        expected = link(entry) if chained else first_link(key)
        number = entry.number
    if pruned and not part and not any(_tells_of(entry, pruned) for entry in entries):
        faults.append(f"entries 1 to {start} were removed, and no entry tells of it")
    faults += _end(number, written, expected, last)
    unchained = sum(entry.previous is None for entry in entries)
    return Audit(len(entries), unchained, tuple(faults[:TOLD_MAX]))


def _tells_of(entry: HistoryEntry, pruned: Checkpoint) -> bool:
    return entry.event == PRUNED and entry.numbers.get(REMOVED) == pruned.model_dump()


def _gap(before: int, number: int) -> str:
    if number <= before:
        return f"entry {number} stands after entry {before}: the order was changed"
    missing = f"entry {before + 1} is" if number == before + 2 else _many(before + 1, number - 1)
    return f"{missing} missing"


def _many(first: int, last: int) -> str:
    return f"entries {first} to {last} are"


def _broken(before: int, number: int, start: int) -> str:
    if not before:
        return f"entry {number} does not begin this endpoint's history"
    if before == start:
        return f"entry {number} does not follow what was removed: the entry before was another"
    return f"entry {before} was changed: entry {number} knows another"


def _end(number: int, written: int, expected: str, last: str | None) -> Sequence[str]:
    if number < written:
        one = number + 1 == written
        cut = f"entry {written} is" if one else _many(number + 1, written)
        return (f"{cut} cut off",)
    if number > written:
        return (f"entry {number} was added: the endpoint has written {written}",)
    if last is not None and number and expected != last:
        return (f"entry {number} was changed: the endpoint knows another",)
    return ()
