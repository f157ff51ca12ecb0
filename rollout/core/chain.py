"""Every history entry carries the hash of the one before, so that a later change is found."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import from_json, to_json

from rollout.core.head import HistoryEntry

TOLD_MAX = 20


def first_link(key: str) -> str:
    """What the first entry of an endpoint follows: the hash of the endpoint's key."""
    return hashlib.sha256(key.encode()).hexdigest()


def link(entry: HistoryEntry) -> str:
    """The hash of an entry: sha256 of its JSON with sorted keys, fields at their default left out.

    So an entry keeps its hash when a later version adds a field.
    """
    written = from_json(entry.model_dump_json(exclude_defaults=True))
    return hashlib.sha256(to_json(_sorted(written))).hexdigest()


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


def examine(key: str, written: int, last: str | None, entries: Sequence[HistoryEntry]) -> Audit:
    """Find what was changed, taken out, put elsewhere or cut off.

    `written` and `last` are what the head row knows: how many entries, and the hash of the last.
    """
    faults, expected = list[str](), first_link(key)
    chained, number = False, 0
    for entry in entries:
        gap = entry.number != number + 1
        if gap:
            faults.append(_gap(number, entry.number))
        if entry.previous is not None and entry.previous != expected and not gap:
            faults.append(_broken(number, entry.number))
        if entry.previous is None and chained:
            faults.append(f"entry {entry.number} has lost the hash of the one before")
        chained = chained or entry.previous is not None
        expected = link(entry) if chained else first_link(key)
        number = entry.number
    faults += _end(number, written, expected, last)
    unchained = sum(entry.previous is None for entry in entries)
    return Audit(len(entries), unchained, tuple(faults[:TOLD_MAX]))


def _gap(before: int, number: int) -> str:
    if number <= before:
        return f"entry {number} stands after entry {before}: the order was changed"
    missing = f"entry {before + 1} is" if number == before + 2 else _many(before + 1, number - 1)
    return f"{missing} missing"


def _many(first: int, last: int) -> str:
    return f"entries {first} to {last} are"


def _broken(before: int, number: int) -> str:
    if not before:
        return f"entry {number} does not begin this endpoint's history"
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
