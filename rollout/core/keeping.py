"""What may be removed of an endpoint's past, and the checkpoint that stands in its place."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rollout.core.chain import PRUNED, REMOVED, beginning, link, passed
from rollout.core.head import Head, HistoryEntry
from rollout.core.rollout import Rollout

TOLD_MAX = 50
"""So many ids of removed rollouts an entry names; of more it tells the number."""


@dataclass(frozen=True, slots=True)
class Removal:
    """The row and the entry to save before anything is removed, and what is removed then."""

    head: Head
    entry: HistoryEntry
    entries: int
    rollouts: tuple[str, ...]


def at_rest(head: Head) -> bool:
    """Nothing lives, waits or is owed: only then is anything of an endpoint removed."""
    rotating = head.rotation is not None and not head.rotation.over
    return not (head.live or rotating or head.queued or head.owed or head.outbox)


def outlived(head: Head, ended: Iterable[Rollout], before: datetime) -> tuple[str, ...]:
    """Ids of rollouts that ended before that time; the last one of an endpoint always stays."""
    last = head.rollout.id if head.rollout else None
    return tuple(one.id for one in ended if one.phase_since < before and one.id != last)


def removal(
    head: Head,
    entries: Iterable[HistoryEntry],
    outlived: tuple[str, ...],
    before: datetime,
    now: datetime,
    who: str,
) -> Removal | None:
    """Remove what is older than that time, from the first entry on, up to the last rollout.

    `entries` are those after the head's checkpoint. None where nothing is to be removed.
    """
    key = head.endpoint.key
    began = mark = beginning(key, head.pruned)
    told = False
    for entry in entries:
        if entry.number != mark.through + 1 or not _is_past(head, entry, before):
            break
        mark = passed(entry, key, mark)
        told = told or entry.event != PRUNED
    if not told and not outlived:
        return None
    mark = mark if told else began
    count = mark.through - began.through
    entry = HistoryEntry(
        number=head.entries + 1,
        at=now,
        rollout_id=None,
        event=PRUNED,
        event_id=f"prune:{key}:{head.entries + 1}",
        who=who,
        before=head.phase,
        after=head.phase,
        why=f"{count} entries and {len(outlived)} rollouts of before {before:%Y-%m-%d %H:%M} UTC"
        " were removed",
        numbers={REMOVED: mark.model_dump(), "rollouts": list(outlived[:TOLD_MAX])},
        previous=head.last_link or began.link,
    )
    update = {"pruned": mark if mark.through else None, "entries": entry.number}
    row = head.model_copy(update={**update, "last_link": link(entry)})
    return Removal(row, entry, count, outlived)


def _is_past(head: Head, entry: HistoryEntry, before: datetime) -> bool:
    last = head.rollout.id if head.rollout else None
    return entry.at < before and (entry.rollout_id is None or entry.rollout_id != last)
