"""Hands the messages of a queue to a function, as the Functions host does, by Microsoft's SDK.

    pump = Pump(broker.connection_string)
    pump.start("steps", lambda body, about: ...)
    ...
    pump.stop()

A message is completed when the function returns and abandoned when it raises; a session is held
until it has been idle for a while. A broker that goes away is asked again.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusClient,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
)
from azure.servicebus.exceptions import OperationTimeoutError, ServiceBusError

ACCEPT_SECONDS = 1.0
IDLE_SECONDS = 5.0
POLL_SECONDS = 0.3
PAUSE_SECONDS = 0.1
_HALF_A_LOCK = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the host tells a function of a message; the first delivery counts 1."""

    id: str
    session: str | None
    count: int
    sequence: int
    enqueued_at: datetime | None
    scheduled_for: datetime | None


Handler = Callable[[bytes, Delivered], object]


@dataclass
class Pump:
    """Runs a function on what one queue brings, `slots` sessions at a time.

    `failures` are what the function raised; `trouble` is what the broker or the SDK did.
    """

    connection_string: str
    slots: int = 1
    idle_seconds: float = IDLE_SECONDS
    failures: list[Exception] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self, queue: str, handler: Handler, *, sessions: bool = True) -> None:
        self._stopping.clear()
        for number in range(self.slots):
            name = f"pump {queue} {number}"
            thread = threading.Thread(
                target=self._run, args=(queue, handler, sessions), name=name, daemon=True
            )
            self._threads.append(thread)
            thread.start()

    @property
    def listens(self) -> bool:
        """Whether none of its threads has died of something that it does not know."""
        return all(thread.is_alive() for thread in self._threads)

    def ask_to_stop(self) -> None:
        """Take nothing new; do not wait."""
        self._stopping.set()

    def stop(self) -> None:
        """Return when every function that ran has returned, and its message is settled."""
        self.ask_to_stop()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _run(self, queue: str, handler: Handler, sessions: bool) -> None:
        client = ServiceBusClient.from_connection_string(self.connection_string, retry_total=0)
        while not self._stopping.is_set():
            try:
                with _receiver(client, queue, sessions) as receiver:
                    self._drain(receiver, handler)
            except OperationTimeoutError:
                continue  # no session has anything
            except ServiceBusError as trouble:
                self.trouble.append(trouble)
                self._stopping.wait(PAUSE_SECONDS)

    def _drain(self, receiver: ServiceBusReceiver, handler: Handler) -> None:
        """Work through what comes until nothing has come for a while."""
        idle = 0.0
        while not self._stopping.is_set() and idle < self.idle_seconds:
            found = receiver.receive_messages(1, max_wait_time=POLL_SECONDS)
            idle = 0.0 if found else idle + POLL_SECONDS
            for message in found:
                self._call(receiver, message, handler)
            _hold(receiver)

    def _call(
        self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage, handler: Handler
    ) -> None:
        try:
            handler(b"".join(message.body), _about(message))
        except Exception as failure:  # noqa: BLE001 - whatever a function raises is given back
            self.failures.append(failure)
            receiver.abandon_message(message)
        else:
            receiver.complete_message(message)


def _receiver(client: ServiceBusClient, queue: str, sessions: bool) -> ServiceBusReceiver:
    if not sessions:
        return client.get_queue_receiver(queue)
    any_session: Any = NEXT_AVAILABLE_SESSION
    return client.get_queue_receiver(queue, session_id=any_session, max_wait_time=ACCEPT_SECONDS)


def _hold(receiver: ServiceBusReceiver) -> None:
    """Renew a session's lock well before its time."""
    session: Any = receiver.session
    if session and session.locked_until_utc - datetime.now(UTC) < _HALF_A_LOCK:
        session.renew_lock()


def _about(message: ServiceBusReceivedMessage) -> Delivered:
    return Delivered(
        id=message.message_id or "",
        session=message.session_id,
        count=(message.delivery_count or 0) + 1,
        sequence=message.sequence_number or 0,
        enqueued_at=message.enqueued_time_utc,
        scheduled_for=message.scheduled_enqueue_time_utc,
    )
