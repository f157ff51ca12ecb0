"""How long the past is kept: what is older is removed, behind a checkpoint that stays."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import Field

from rollout.core.frozen import Frozen
from rollout.core.head import HistoryEntry
from rollout.core.keeping import Removal, at_rest, outlived, removal
from rollout.errors import Conflict, RolloutError, Unknown
from rollout.kept_ports import Archive, Graves
from rollout.measuring.minutes import KEPT
from rollout.ports import Clock, Held, Samples, Store

PAGE = 200
"""So many endpoints one call looks at."""

PATIENCE = timedelta(minutes=2)
"""So long one run of the timer goes on; the next day's begins anew."""

OURS = "rollout"
_ENTRIES = 1000

log = logging.getLogger(__name__)


class Pruned(Frozen):
    """What was removed of one endpoint, or would be."""

    endpoint: str
    key: str
    entries: int = Field(description="history entries")
    through: int = Field(description="the number of the last one; 0: none")
    rollouts: tuple[str, ...] = Field(description="ids of finished rollouts")


class PrunedPage(Frozen):
    """What was removed of some endpoints, or would be."""

    before: datetime
    pruned: tuple[Pruned, ...]
    kept: tuple[str, ...] = Field(description="endpoints left alone: why, in a sentence")
    dead_letters: int = Field(0, description="of the embedded queue; told by the first page")
    next: str | None = Field(description="ask for what comes after; none: these were the last")


@dataclass(frozen=True, slots=True)
class Retention:
    """Removes what is older than `keep`; an endpoint where something lives is left alone.

    First the row is saved, with the checkpoint and an entry that tells of it; then what is behind
    it is removed. A removal that breaks off is finished by the next one. Without `graves` dead
    letters are somebody else's: those of Service Bus are kept there.
    """

    store: Store
    archive: Archive
    samples: Samples
    clock: Clock
    keep: timedelta | None = field(default=None)
    graves: Graves | None = field(default=None)

    def tick(self) -> int:
        """The timer's: by the setting, endpoint after endpoint; how many rows it removed.

        Minutes older than thirty days are removed whether or not the setting is there.
        """
        began, removed = self.clock.now(), 0
        after: str | None = ""
        while after is not None and self.clock.now() - began < PATIENCE:
            keys = self.archive.keys(after, PAGE)
            for key in keys:
                removed += self._tick_one(key, began)
            after = keys[-1] if len(keys) == PAGE else None
        removed += self._forget_dead_letters(began)
        log.info("retention: %d rows removed", removed)
        return removed

    def _tick_one(self, key: str, now: datetime) -> int:
        try:
            held = self.store.load_key(key)
            if not at_rest(held.head):
                return 0
            self.samples.forget(key, now - KEPT)
            found = self._prune(held, now - self.keep, OURS) if self.keep else None
        except RolloutError as error:  # others wait behind it, and tomorrow it is tried again
            log.warning("%s: not pruned: %s", key, error)
            return 0
        return found.entries + len(found.rollouts) if found else 0

    def _forget_dead_letters(self, now: datetime) -> int:
        if not self.graves or not self.keep:
            return 0
        try:
            return self.graves.forget_dead_letters(now - self.keep)
        except RolloutError as error:
            log.warning("dead letters are not pruned: %s", error)
            return 0

    def page(self, before: datetime, after: str, who: str, *, dry: bool) -> PrunedPage:
        """Prune the next endpoints after that key, or with `dry` only say what it would remove."""
        pruned, kept = list[Pruned](), list[str]()
        keys = self.archive.keys(after, PAGE)
        for key in keys:
            try:
                held = self.store.load_key(key)
                if not at_rest(held.head):
                    kept.append(f"{held.head.endpoint}: something lives on it")
                    continue
                found = self._planned(held, before, who) if dry else self._prune(held, before, who)
            except Unknown:  # a row that is no endpoint's
                continue
            except Conflict:
                kept.append(f"{key}: something was decided on it just now")
                continue
            except RolloutError as error:
                kept.append(f"{key}: {error}")
                continue
            if found and (found.entries or found.rollouts):
                pruned.append(_told(found))
        last = keys[-1] if len(keys) == PAGE else None
        first = self.graves if after == "" else None
        return PrunedPage(
            before=before,
            pruned=tuple(pruned),
            kept=tuple(kept),
            dead_letters=first.forget_dead_letters(before, dry=dry) if first else 0,
            next=last,
        )

    def _planned(self, held: Held, before: datetime, who: str) -> Removal | None:
        head = held.head
        if not head.entries:
            return None
        old = outlived(head, self.archive.ended_of(head.endpoint.key), before)
        return removal(head, self._entries(held), old, before, self.clock.now(), who)

    def _prune(self, held: Held, before: datetime, who: str) -> Removal | None:
        """Save the checkpoint, then remove what is behind it; raises Conflict."""
        found, key = self._planned(held, before, who), held.head.endpoint.key
        saved = self.store.save(held, found.head, found.entry) if found else held
        if saved.head.pruned or found:
            through = saved.head.pruned.through if saved.head.pruned else 0
            self.archive.remove(key, through, found.rollouts if found else ())
        return found

    def _entries(self, held: Held) -> Iterator[HistoryEntry]:
        after = held.head.pruned.through if held.head.pruned else 0
        while some := self._some(held.head.endpoint.key, after):
            yield from some
            after = some[-1].number

    def _some(self, key: str, after: int) -> Sequence[HistoryEntry]:
        return self.store.history(key, after, _ENTRIES)


def _told(found: Removal) -> Pruned:
    pruned = found.head.pruned
    return Pruned(
        endpoint=str(found.head.endpoint),
        key=found.head.endpoint.key,
        entries=found.entries,
        through=pruned.through if pruned else 0,
        rollouts=found.rollouts,
    )
