"""The links to one queue of Service Bus: broken ones are made anew, and none is waited for long."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from typing import TypeVar

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
from rollout.ports import Clock

SEND_SECONDS = 5.0
REST = timedelta(seconds=5)
"""After a failure nobody waits again for the same: so long every send fails at once."""
STUCK_SECONDS = 6.0
STUCK = timedelta(minutes=1)
"""The same after a send that did not come back in time: its thread is left behind."""
DEAD_LETTERS_MAX = 1000

_PEEKED_AT_ONCE = 100
_T = TypeVar("_T")


class Links:
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

    def send(self, message: ServiceBusMessage) -> None:
        with self._sending:
            self._check_rest()
            try:
                sending = partial(self._send, self._opened(), message)
                within(STUCK_SECONDS, self._queue, sending)
            except (Unavailable, Refused) as failure:
                after = failure.after if isinstance(failure, Unavailable) else None
                self._rests_until = self._clock.now() + (after or REST)
                self._sender = None
                raise

    def _opened(self) -> ServiceBusSender:
        if self._sender is None:
            with self._failing():
                self._sender = self._client().get_queue_sender(self._queue)
        return self._sender

    def _send(self, sender: ServiceBusSender, message: ServiceBusMessage) -> None:
        try:
            with self._failing():
                sender.send_messages(message, timeout=SEND_SECONDS)
        except (Unavailable, Refused):
            _close(sender)
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
            places = (place for place, one in enumerate(letters) if id_of(one) == message_id)
            place = next(places, None)
            if place is None:
                raise Unknown(f"no dead letter {message_id} in the queue {self._queue}")
            with _lent(reader, letters[place].sequence_number, place + 1) as letter:
                yield letter

    @contextmanager
    def _reader_of_dead(self) -> Iterator[ServiceBusReceiver]:
        if not self._reading.acquire(timeout=SEND_SECONDS):
            raise Unavailable(f"queue {self._queue}: its dead letters are being read")
        try:
            with self._failing():
                self._reader = self._reader or self._client().get_queue_receiver(
                    self._queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER
                )
                yield self._reader
        except (Unavailable, Refused):
            self._close_reader()
            raise
        finally:
            self._reading.release()

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


def within(seconds: float, queue: str, call: Callable[[], _T]) -> _T:
    """What the call answers; raises Unavailable when it does not come back.

    The SDK waits without end for a server that takes a connection and then says nothing.
    """
    answer: Future[_T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised where it was asked
            answer.set_exception(error)

    threading.Thread(target=run, name=f"queue {queue}", daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        raise Unavailable(f"queue {queue}: no answer in {seconds:g} s", STUCK) from None


def id_of(one: ServiceBusReceivedMessage) -> str:
    return one.message_id or f"#{one.sequence_number}"


def _close(link: ServiceBusSender | ServiceBusReceiver) -> None:
    """Close it as far as that can be done: it may be broken."""
    with suppress(AzureError, ValueError, OSError, AttributeError):
        link.close()


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
