"""Service Bus as a queue under contract: our adapter sends, Microsoft's receivers take."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver
from azure.servicebus.exceptions import MessageAlreadySettled, ServiceBusError

from rollout.adapters.azure.service_bus import ServiceBusQueue, connect
from rollout.adapters.sqlite.queue import Delivery
from rollout.errors import Conflict
from rollout.ports import DeadLetter, Message
from tests.broker import Broker
from tests.broker.queues import QueueSpec
from tests.fakes import FakeClock

LOCK = timedelta(minutes=5)
FAR = timedelta(days=100 * 365)
"""The broker lives in the far future: the SDK would call a lock of the past lost by itself."""
_Lent = tuple[ServiceBusReceiver, ServiceBusReceivedMessage]


class _Time:
    """The clock of the test that runs, seen by one broker whose time never runs backwards."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ahead = FAR

    def now(self) -> datetime:
        return self.clock.now() + self.ahead

    def follow(self, clock: FakeClock) -> None:
        now = self.now()
        self.clock, self.ahead = clock, now - clock.now()


class BusQueue:
    """The adapter and, for each session, a receiver that stays open: to open one takes a while.

    Which session has something to give is asked of the broker's own handle; everything else goes
    over the wire.
    """

    def __init__(self, broker: Broker, time: _Time) -> None:
        client = partial(connect, broker.connection_string, _nobody())
        self._time = time
        self._broker = broker
        self._sends = ServiceBusQueue(client, time.clock, ("steps", "events"))
        self._client = ServiceBusClient.from_connection_string(
            broker.connection_string, retry_total=0
        )
        self._receivers: dict[tuple[str, str | None], ServiceBusReceiver] = {}
        self._lent: dict[tuple[int, int], _Lent] = {}
        self._lost: list[ServiceBusReceiver] = []

    def begin(self, clock: FakeClock) -> None:
        """Serve another test: empty, in its time."""
        self._time.follow(clock)
        self._broker.forget()
        self._lent.clear()

    # -- the port --------------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        at = message.not_before
        self._sends.send(replace(message, not_before=at and at + self._time.ahead))

    def dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        return [self._earlier(letter) for letter in self._sends.dead_letters(limit)]

    def resend(self, queue: str, message_id: str) -> None:
        self._sends.resend(queue, message_id)

    # -- the receiving side ----------------------------------------------------------------------

    def receive(self, queue: str, now: datetime, lease: timedelta) -> Delivery | None:
        """Lend one out; for how long is the queue's own matter, whatever `lease` says."""
        self._broker.settle()
        ready, session = self._broker.next_session(queue)
        if not ready:
            return None
        receiver = self._receiver(queue, session)
        (message,) = receiver.receive_messages(1, max_wait_time=5)
        until = (receiver.session or message).locked_until_utc
        assert until
        assert message.sequence_number
        count = (message.delivery_count or 0) + 1
        self._lent[message.sequence_number, count] = receiver, message
        return Delivery(
            self._message(queue, message),
            count,
            until - self._time.ahead,
            lease,
            message.sequence_number,
        )

    def complete(self, delivery: Delivery) -> None:
        with self._as_conflict(delivery) as (receiver, message):
            receiver.complete_message(message)

    def abandon(self, delivery: Delivery, reason: str) -> None:
        with self._as_conflict(delivery) as (receiver, message):
            receiver.abandon_message(message)

    def renew(self, delivery: Delivery) -> Delivery:
        with self._as_conflict(delivery) as (receiver, _):
            return replace(delivery, until=receiver.session.renew_lock() - self._time.ahead)

    def next_due(self, queue: str) -> datetime | None:
        at = self._broker.next_due(queue)
        return at and at - self._time.ahead

    def _message(self, queue: str, one: ServiceBusReceivedMessage) -> Message:
        at = one.scheduled_enqueue_time_utc
        body = b"".join(one.body)
        not_before = at and at - self._time.ahead
        return Message(queue, one.session_id or "", one.message_id or "", body, not_before)

    def _earlier(self, letter: DeadLetter) -> DeadLetter:
        at = letter.message.not_before
        message = replace(letter.message, not_before=at and at - self._time.ahead)
        return replace(letter, message=message, at=letter.at - self._time.ahead)

    # -- receivers -------------------------------------------------------------------------------

    def _receiver(self, queue: str, session: str | None) -> ServiceBusReceiver:
        """One that holds the session for a whole lock from now."""
        held = self._receivers.pop((queue, session), None)
        if held and session and not self._broker.is_held(queue, session):
            self._lost.append(held)  # a test may still want to hear that it is lost
            held = None
        if held and session:
            held.session.renew_lock()
        if held is None:
            held = self._client.get_queue_receiver(queue, session_id=session)
            held.__enter__()
        self._receivers[queue, session] = held
        return held

    @contextmanager
    def _as_conflict(self, delivery: Delivery) -> Iterator[_Lent]:
        self._broker.settle()
        try:
            yield self._lent[delivery.sequence, delivery.count]
        except (ServiceBusError, MessageAlreadySettled) as error:
            raise Conflict(f"message {delivery.message.id}: {error}") from error


@cache
def _bus() -> BusQueue:
    """One for all tests of a process, since links are slow to open; it dies with the process."""
    time = _Time()
    specs: Mapping[str, QueueSpec] = {
        "steps": QueueSpec(lock=LOCK),
        "events": QueueSpec(sessions=False, lock=LOCK),
    }
    broker = Broker(specs, time.now)
    broker.start()
    return BusQueue(broker, time)


@contextmanager
def bus_queue(clock: FakeClock) -> Iterator[BusQueue]:
    bus = _bus()
    bus.begin(clock)
    yield bus


def _nobody() -> Any:
    """A broker on this machine is entered by its connection string."""
    return None
