"""Messages on Azure Service Bus, sent and laid aside: the port Queue by Microsoft's client."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import Any

from azure.core.credentials import TokenCredential
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceivedMessage

from rollout.adapters.azure.service_bus_links import Links, id_of, within
from rollout.errors import Refused, Unknown
from rollout.ports import Clock, DeadLetter, Message

BODY_BYTES_MAX = 255 * 1024
"""A message of the Standard tier has 256 KB, with its properties."""

READ_SECONDS = 30.0
_WITHOUT_SESSIONS = frozenset({"events"})
_ID_MAX = 128
_RESENT = re.compile(r":r\d+$")


class ServiceBusQueue:
    """The port Queue; the queue `steps` has sessions, `events` has none.

    A queue that does not answer raises Unavailable within seconds, and then at once for a while: a
    decided rollback must not wait for it. What a person must mend raises Refused, with the remedy.
    """

    def __init__(
        self, connect: Callable[[], ServiceBusClient], clock: Clock, queues: Sequence[str]
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._client: ServiceBusClient | None = None
        self._opening = Lock()
        self._links = {queue: Links(queue, self._opened, clock) for queue in queues}

    def close(self) -> None:
        for links in self._links.values():
            links.close()
        with self._opening:
            if self._client:
                self._client.close()
            self._client = None

    def send(self, message: Message) -> None:
        if len(message.body) > BODY_BYTES_MAX:
            raise Refused(
                f"message {message.id} for {message.queue} has {len(message.body)} bytes; Service"
                f" Bus takes {BODY_BYTES_MAX}: keep the large part elsewhere and send its name"
            )
        self._of(message.queue).send(_outgoing(message))

    def dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        """List them queue by queue, the oldest first; `at` is when the message had come in."""
        found: list[DeadLetter] = []
        for queue, links in self._links.items():
            peeked = within(READ_SECONDS, queue, partial(links.peek, limit - len(found)))
            found += [_dead_letter(queue, one) for one in peeked]
        return found

    def resend(self, queue: str, message_id: str) -> None:
        """Send a copy under an id of its own, then take the dead letter away.

        The copy's id follows from the letter, so that a resend that was cut short can be repeated.
        """
        links = self._of(queue)
        within(READ_SECONDS, queue, partial(self._resend, queue, links, message_id))

    def _resend(self, queue: str, links: Links, message_id: str) -> None:
        with links.taken(message_id) as letter:
            self.send(_copy(queue, letter))

    def _of(self, queue: str) -> Links:
        if queue not in self._links:
            raise Unknown(f"no queue {queue}; known: {', '.join(self._links)}")
        return self._links[queue]

    def _opened(self) -> ServiceBusClient:
        with self._opening:
            if self._client is None:
                self._client = self._connect()
            return self._client


def connect(address: str, credential: TokenCredential) -> ServiceBusClient:
    """A client for a namespace by identity, or for a broker on this machine by its string."""
    options: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.1}
    if "=" in address:
        return ServiceBusClient.from_connection_string(address, **options)
    return ServiceBusClient(address, credential, **options)


def _outgoing(message: Message) -> ServiceBusMessage:
    session = None if message.queue in _WITHOUT_SESSIONS else message.session
    return ServiceBusMessage(
        message.body,
        message_id=message.id,
        session_id=session,
        scheduled_enqueue_time_utc=message.not_before,
    )


def _dead_letter(queue: str, one: ServiceBusReceivedMessage) -> DeadLetter:
    told = (one.dead_letter_reason, one.dead_letter_error_description)
    return DeadLetter(
        message=_message(queue, id_of(one), one, _utc(one.scheduled_enqueue_time_utc)),
        reason=": ".join(part for part in told if part),
        deliveries=one.delivery_count or 0,
        at=_utc(one.enqueued_time_utc) or datetime.fromtimestamp(0, UTC),
    )


def _copy(queue: str, letter: ServiceBusReceivedMessage) -> Message:
    own = f":r{letter.sequence_number}"
    return _message(queue, _RESENT.sub("", id_of(letter))[: _ID_MAX - len(own)] + own, letter, None)


def _message(
    queue: str, name: str, one: ServiceBusReceivedMessage, not_before: datetime | None
) -> Message:
    return Message(queue, one.session_id or "", name, b"".join(one.body), not_before)


def _utc(at: datetime | None) -> datetime | None:
    return at and at.astimezone(UTC)
