"""Messages on Azure Service Bus: one client, and for each queue one sender, opened when needed."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)

from rollout.adapters.azure.service_bus_errors import told
from rollout.errors import Refused, Unavailable, Unknown
from rollout.ports import Clock, DeadLetter, Message

SEND_SECONDS = 5.0
REST = timedelta(seconds=5)
"""After a failure nobody waits again for the same: so long every send fails at once."""
BODY_BYTES_MAX = 255 * 1024
"""A message of the Standard tier has 256 KB, with its properties."""
DEAD_LETTERS_MAX = 1000

_WITHOUT_SESSIONS = frozenset({"events"})
_ID_MAX = 128
_RESENT = re.compile(r":r\d+$")
_PEEKED_AT_ONCE = 100


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
        self._links = {queue: _Links(queue, self._opened, clock) for queue in queues}

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
        self._of(message.queue).send(message)

    def dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        """List them queue by queue, the oldest first; `at` is when the message had come in."""
        found: list[DeadLetter] = []
        for queue, links in self._links.items():
            peeked = links.peek(limit - len(found))
            found += [_dead_letter(queue, one) for one in peeked]
        return found

    def resend(self, queue: str, message_id: str) -> None:
        """Send a copy under an id of its own, then take the dead letter away.

        The copy's id follows from the letter, so that a resend that was cut short can be repeated.
        """
        with self._of(queue).taken(message_id) as letter:
            self.send(_copy(queue, letter))

    def _of(self, queue: str) -> "_Links":
        if queue not in self._links:
            raise Unknown(f"no queue {queue}; known: {', '.join(self._links)}")
        return self._links[queue]

    def _opened(self) -> ServiceBusClient:
        with self._opening:
            if self._client is None:
                self._client = self._connect()
            return self._client


class _Links:
    """The sender of one queue, and the reader of its dead letters: each is one caller's at a time.

    The SDK's links are not safe for threads, and a broken one is not used again.
    """

    def __init__(self, queue: str, client: Callable[[], ServiceBusClient], clock: Clock) -> None:
        self._queue = queue
        self._client = client
        self._clock = clock
        self._sending, self._reading = Lock(), Lock()
        self._sender: ServiceBusSender | None = None
        self._reader: ServiceBusReceiver | None = None
        self._rests_until: datetime | None = None

    def close(self) -> None:
        with self._sending:
            self._close_sender()
        with self._reading:
            self._close_reader()

    def send(self, message: Message) -> None:
        if not self._sending.acquire(timeout=SEND_SECONDS):
            raise Unavailable(f"queue {self._queue}: an earlier send is still waiting", REST)
        try:
            self._check_rest()
            self._send(message)
        finally:
            self._sending.release()

    def _send(self, message: Message) -> None:
        try:
            with self._failing():
                self._sender = self._sender or self._client().get_queue_sender(self._queue)
                self._sender.send_messages(_outgoing(message), timeout=SEND_SECONDS)
        except (Unavailable, Refused):
            self._rests_until = self._clock.now() + REST
            self._close_sender()
            raise

    def peek(self, limit: int) -> list[ServiceBusReceivedMessage]:
        """Dead letters, the oldest first, left where they are."""
        with self._reader_of_dead() as reader:
            return list(_peeked(reader, limit))

    @contextmanager
    def taken(self, message_id: str) -> Iterator[ServiceBusReceivedMessage]:
        """Hold a dead letter, and remove it when the work with it has succeeded."""
        with self._reader_of_dead() as reader:
            letters = list(_peeked(reader, DEAD_LETTERS_MAX))
            places = (place for place, one in enumerate(letters) if _id(one) == message_id)
            place = next(places, None)
            if place is None:
                raise Unknown(f"no dead letter {message_id} in the queue {self._queue}")
            with _lent(reader, letters[place].sequence_number, place + 1) as letter:
                yield letter

    @contextmanager
    def _reader_of_dead(self) -> Iterator[ServiceBusReceiver]:
        with self._reading:
            try:
                with self._failing():
                    self._reader = self._reader or self._client().get_queue_receiver(
                        self._queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER
                    )
                    yield self._reader
            except (Unavailable, Refused):
                self._close_reader()
                raise

    def _close_sender(self) -> None:
        if self._sender:
            _close(self._sender)
        self._sender = None

    def _close_reader(self) -> None:
        if self._reader:
            _close(self._reader)
        self._reader = None

    def _check_rest(self) -> None:
        now = self._clock.now()
        if self._rests_until and now < self._rests_until:
            raise Unavailable(
                f"queue {self._queue}: it failed a moment ago", self._rests_until - now
            )
        self._rests_until = None

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What the SDK raises becomes an error of ours; it raises ValueError for a closed link."""
        try:
            yield
        except (AzureError, ValueError, OSError) as error:
            raise told(self._queue, error) from error


def connect(address: str, credential: TokenCredential) -> ServiceBusClient:
    """A client for a namespace by identity, or for a broker on this machine by its string."""
    options: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.1}
    if "=" in address:
        return ServiceBusClient.from_connection_string(address, **options)
    return ServiceBusClient(address, credential, **options)


def _close(link: ServiceBusSender | ServiceBusReceiver) -> None:
    """Close it as far as that can be done: it may be broken."""
    with suppress(AzureError, ValueError, OSError, AttributeError):
        link.close()


def _outgoing(message: Message) -> ServiceBusMessage:
    session = None if message.queue in _WITHOUT_SESSIONS else message.session
    return ServiceBusMessage(
        message.body,
        message_id=message.id,
        session_id=session,
        scheduled_enqueue_time_utc=message.not_before,
    )


def _peeked(reader: ServiceBusReceiver, limit: int) -> Iterator[ServiceBusReceivedMessage]:
    """Page by page, since a page may be shorter than what is asked for."""
    number = 1
    while limit > 0:
        page = reader.peek_messages(
            min(limit, _PEEKED_AT_ONCE), sequence_number=number, timeout=SEND_SECONDS
        )
        if not page:
            return
        yield from page
        limit -= len(page)
        number = 1 + max(one.sequence_number or 0 for one in page)


@contextmanager
def _lent(
    reader: ServiceBusReceiver, number: int | None, place: int
) -> Iterator[ServiceBusReceivedMessage]:
    """The message with that number, which is among the first so many; the others go back.

    No more are asked for than there are, since what is asked for later comes is held by us.
    """
    held: list[ServiceBusReceivedMessage] = []
    try:
        while len(held) < place:
            batch = reader.receive_messages(place - len(held), SEND_SECONDS)
            held += batch
            found = next((one for one in batch if one.sequence_number == number), None)
            if found:
                yield found
                reader.complete_message(found)
                held.remove(found)
                return
            if not batch:
                break
        raise Unavailable("the dead letter is in other hands: ask again in a minute")
    finally:
        for one in held:
            with suppress(AzureError, ValueError):  # it comes free by itself, only later
                reader.abandon_message(one)


def _dead_letter(queue: str, one: ServiceBusReceivedMessage) -> DeadLetter:
    told = (one.dead_letter_reason, one.dead_letter_error_description)
    return DeadLetter(
        message=_message(queue, _id(one), one, _utc(one.scheduled_enqueue_time_utc)),
        reason=": ".join(part for part in told if part),
        deliveries=one.delivery_count or 0,
        at=_utc(one.enqueued_time_utc) or datetime.fromtimestamp(0, UTC),
    )


def _copy(queue: str, letter: ServiceBusReceivedMessage) -> Message:
    own = f":r{letter.sequence_number}"
    return _message(queue, _RESENT.sub("", _id(letter))[: _ID_MAX - len(own)] + own, letter, None)


def _message(
    queue: str, name: str, one: ServiceBusReceivedMessage, not_before: datetime | None
) -> Message:
    return Message(queue, one.session_id or "", name, b"".join(one.body), not_before)


def _id(one: ServiceBusReceivedMessage) -> str:
    return one.message_id or f"#{one.sequence_number}"


def _utc(at: datetime | None) -> datetime | None:
    return at and at.astimezone(UTC)
