"""Where the app keeps its state and its messages: an account in Azurite, a broker's queues."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from azure.servicebus import ServiceBusClient, ServiceBusMessage

from rollout.wakes import EVENTS_QUEUE
from tests.broker import Broker
from tests.broker.pump import Delivered, Pump


class Function(Protocol):
    """A function that a queue is bound to."""

    @property
    def queue(self) -> str: ...

    @property
    def has_sessions(self) -> bool: ...

    def take(self, body: bytes, about: Delivered) -> None: ...


@dataclass(frozen=True, slots=True)
class Storage:
    """An account that several apps may share, and the namespace of one of them."""

    account: str
    broker: Broker

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            "ROLLOUT_STORAGE": self.account,
            "ROLLOUT_SERVICE_BUS": self.broker.connection_string,
        }

    def pump(self, function: Function, sessions: int) -> Pump:
        """Begin to hand a queue's messages to a function."""
        pump = Pump(self.broker.connection_string, sessions if function.has_sessions else 1)
        pump.start(function.queue, function.take, sessions=function.has_sessions)
        return pump

    def publish(self, body: bytes) -> None:
        """Put a message into the queue of events, as Event Grid does."""
        connect = partial(ServiceBusClient.from_connection_string, retry_total=0)
        with (
            connect(self.broker.connection_string) as client,
            client.get_queue_sender(EVENTS_QUEUE) as sender,
        ):
            sender.send_messages(ServiceBusMessage(body, message_id="from Event Grid"))
