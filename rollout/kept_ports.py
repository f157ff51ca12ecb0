"""What retention needs of store and queue: to see what is kept, and to remove it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from rollout.core.rollout import Rollout


class Archive(Protocol):
    """The past of endpoints; a call that concerns one takes its key first."""

    def keys(self, after: str, limit: int) -> Sequence[str]:
        """Keys of all endpoints above that one, in order."""
        ...

    def ended_of(self, key: str) -> Sequence[Rollout]:
        """The finished rollouts of one endpoint, in any order."""
        ...

    def remove(self, key: str, through: int, rollouts: Collection[str]) -> int:
        """Remove history entries up to that number, and those finished rollouts; how many rows.

        Only what is behind the checkpoint of the saved head row may be removed. What is gone
        already is no fault: a removal that broke off is repeated.
        """
        ...


class Graves(Protocol):
    """Messages that were laid aside for good, where nobody but us removes them."""

    def forget_dead_letters(self, before: datetime, *, dry: bool = False) -> int:
        """Remove those that died before that time, or with `dry` only count them; how many."""
        ...
