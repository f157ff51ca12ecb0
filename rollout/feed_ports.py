"""What the event stream needs of the state: the entries of all endpoints in one order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rollout.core.head import HistoryEntry
from rollout.ports import Store


@dataclass(frozen=True, slots=True)
class Told:
    """One history entry of the endpoint of that key, and its place among those of all endpoints."""

    sequence: int
    key: str
    entry: HistoryEntry


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in their order; `until` is the place up to which everything was looked at."""

    entries: Sequence[Told]
    until: int


class Feed(Protocol):
    """The history entries of all endpoints, numbered as they are seen to be saved.

    Numbers only grow; an entry has one number for ever, and none appears below one that was told.
    Entries of one endpoint stand in their own order.
    """

    def feed(self, after: int | None, limit: int, key: str | None = None) -> Page:
        """At most so many entries above `after`, of one endpoint or of all, without a scan.

        With `after` None no entry: only where the end is. A place beyond the end is of a store that
        was put back to an earlier time; it is answered with the end.
        """
        ...


class FedStore(Store, Feed, Protocol):
    """A store that tells its entries in one order too."""
