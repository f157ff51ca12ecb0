"""The message by which an endpoint's row is looked at again."""

import logging
from datetime import datetime

from rollout.core import outbox
from rollout.core.head import Head, Wake
from rollout.errors import Refused, Unavailable
from rollout.ports import Message, Queue

STEPS_QUEUE = "steps"
EVENTS_QUEUE = "events"

log = logging.getLogger(__name__)


def send_wake(queue: Queue, head: Head, at: datetime | None, attempt: int = 0) -> bool:
    """Send the row's wake-up for that time; False where the queue does not take it.

    Then the sweep does it again.
    """
    if head.due_at is None:
        return True
    return _send(queue, wake_of(head, attempt), at)


def send_notices(queue: Queue, head: Head, attempt: int = 0) -> None:
    """Let the outbox be emptied when its next turn comes, apart from all looks."""
    at = outbox.next_turn(head)
    if at is not None:
        about = wake_of(head, attempt).model_copy(update={"outbox": outbox.state_of(head)})
        _send(queue, about, at)


def _send(queue: Queue, wake: Wake, at: datetime | None) -> bool:
    try:
        queue.send(wake_message(wake, at))
    except (Unavailable, Refused) as down:  # only speed is lost
        log.warning("%s: not sent: %s", wake.endpoint, down)
        return False
    return True


def wake_of(head: Head, attempt: int = 0) -> Wake:
    return Wake(endpoint=head.endpoint, generation=head.generation, turn=head.turn, attempt=attempt)


def wake_message(wake: Wake, at: datetime | None) -> Message:
    body = wake.model_dump_json(exclude_defaults=True).encode()
    return Message(STEPS_QUEUE, wake.session, wake.message_id, body, at)
