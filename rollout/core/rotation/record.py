"""What one decision about keys leaves behind: the row with its next look, and the entry."""

from datetime import datetime

from rollout.core import outbox
from rollout.core.chain import first_link, link
from rollout.core.head import Head, HistoryEntry
from rollout.core.machine.decide import next_look
from rollout.core.machine.repeats import refusing
from rollout.core.record import due
from rollout.core.rotation.actions import PublishKey, RegenerateKey
from rollout.core.rotation.decide import rotation_phase
from rollout.core.rotation.decision import KeyDecision
from rollout.core.rotation.events import KeyCommand, KeyEvent, RotationOverdue
from rollout.core.rotation.numbers import numbers_of
from rollout.core.rotation.state import Rotation
from rollout.core.rotation.topics import is_troubled, to_tell


def record_keys(
    before: Head, decision: KeyDecision, event: KeyEvent, now: datetime
) -> tuple[Head, HistoryEntry | None]:
    """The row to save, and the history entry, if it is worth one; of a no only the no is kept."""
    if not decision.taken:
        return refusing(before, event, decision.why, now), None
    row = due(decision.head, _due_of_rollout(before, now))
    if isinstance(event, KeyCommand):
        row = row.remembering(event.id)
    if not _is_told(before, decision) and not isinstance(event, RotationOverdue):
        return outbox.reminded(row), None
    words, entry = to_tell(before, decision, event), _entry(before, decision, event, now)
    row, entry = outbox.owe(row, entry, words, now, of_keys=True)
    written = {"entries": entry.number, "last_link": link(entry)}
    return outbox.reminded(row.model_copy(update=written)), entry


def _due_of_rollout(head: Head, now: datetime) -> datetime | None:
    """When the rollout beside it is due; a time that has passed stays, and is due at once."""
    active = head.owed or next_look(head, now) is not None
    return head.due_at if active else None


def _is_told(before: Head, decision: KeyDecision) -> bool:
    after = decision.head
    moved = _told(before.rotation) != _told(after.rotation)
    return moved or isinstance(decision.action, RegenerateKey | PublishKey)


def _told(rotation: Rotation | None) -> tuple[object, ...]:
    if rotation is None:
        return ()
    return (rotation.id, rotation.phase, rotation.leaked, is_troubled(rotation))


def _entry(before: Head, decision: KeyDecision, event: KeyEvent, now: datetime) -> HistoryEntry:
    rotation = decision.head.rotation
    return HistoryEntry(
        number=before.entries + 1,
        at=now,
        rollout_id=None,
        rotation_id=rotation.id if rotation else None,
        event=type(event).__name__,
        event_id=event.id,
        who=event.who if isinstance(event, KeyCommand) else "rollout",
        before=rotation_phase(before),
        after=rotation_phase(decision.head),
        why=decision.why,
        actions=(str(decision.action),) if decision.action else (),
        numbers=dict(numbers_of(before.rotation, decision, event, now)),
        previous=before.last_link or first_link(before.endpoint.key),
    )
