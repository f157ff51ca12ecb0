"""The message by which an endpoint's row is looked at again."""

import logging
from datetime import datetime

from rollout.core.head import Head, Wake
from rollout.errors import Refused, Unavailable
from rollout.ports import Message, Queue

STEPS_QUEUE = "steps"
EVENTS_QUEUE = "events"

log = logging.getLogger(__name__)


def send_wake(queue: Queue, head: Head, at: datetime | None, attempt: int = 0) -> None:
    """Send the row's wake-up for that time; where it cannot be sent the sweep does it again."""
    if head.due_at is None:
        return
    wake = Wake(endpoint=head.endpoint, generation=head.generation, turn=head.turn, attempt=attempt)
    try:
        queue.send(wake_message(wake, at))
    except (Unavailable, Refused) as down:  # only speed is lost
        log.warning("%s: not sent: %s", head.endpoint, down)


def wake_message(wake: Wake, at: datetime | None) -> Message:
    body = wake.model_dump_json(exclude_defaults=True).encode()
    return Message(STEPS_QUEUE, wake.endpoint.key, wake.message_id, body, at)
