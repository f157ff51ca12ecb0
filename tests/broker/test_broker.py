"""The broker over the wire, asked by Microsoft's own SDK."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import (
    MessageNotFoundError,
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from tests.broker import Broker
from tests.broker.reactor import HOST

HOUR = timedelta(hours=1)
ANY: Any = NEXT_AVAILABLE_SESSION


class Bench:
    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.client = ServiceBusClient.from_connection_string(
            broker.connection_string, retry_total=0
        )
        self.sender: ServiceBusSender = self.client.get_queue_sender("steps")

    def send(self, name: str, session: str = "s") -> None:
        self.sender.send_messages(ServiceBusMessage(b"body", message_id=name, session_id=session))

    def receiver(self, session: Any = "s", **details: Any) -> ServiceBusReceiver:
        return self.client.get_queue_receiver("steps", session_id=session, **details)


@pytest.fixture(scope="module")
def one() -> Iterator[Bench]:
    with Broker() as broker:
        yield Bench(broker)


@pytest.fixture
def bench(one: Bench) -> Bench:
    one.broker.forget()
    return one


def test_a_receiver_of_any_session_gets_the_first_that_has_something(bench: Bench) -> None:
    bench.send("m", "its own")

    receiver = bench.receiver(ANY, max_wait_time=5)
    (message,) = receiver.receive_messages(1)

    assert receiver.session.session_id == "its own"
    assert (message.message_id, message.delivery_count) == ("m", 0)
    with pytest.raises(SessionCannotBeLockedError):
        bench.receiver("its own").__enter__()


def test_a_receiver_waits_for_a_session_only_so_long(bench: Bench) -> None:
    with pytest.raises(OperationTimeoutError):
        bench.receiver(ANY, max_wait_time=0.5).__enter__()


def test_a_session_lost_on_command_is_lost_to_its_receiver_too(bench: Bench) -> None:
    bench.send("m", "lost")
    receiver = bench.receiver("lost")
    (message,) = receiver.receive_messages(1, max_wait_time=5)

    bench.broker.lose_session("steps", "lost")

    with pytest.raises(SessionLockLostError):
        receiver.complete_message(message)
    assert bench.broker.messages("steps") == ["m"]


def test_a_message_can_be_scheduled_and_taken_back_before_its_time(bench: Bench) -> None:
    due_at = datetime.now(UTC) + HOUR
    message = ServiceBusMessage(b"", message_id="m", session_id="s")
    (number,) = bench.sender.schedule_messages(message, due_at)
    assert bench.broker.messages("steps") == ["m"]

    bench.sender.cancel_scheduled_messages(number)

    assert bench.broker.messages("steps") == []
    with pytest.raises(MessageNotFoundError):
        bench.sender.cancel_scheduled_messages(number)


def test_time_that_is_advanced_brings_what_was_due(bench: Bench) -> None:
    due_at = datetime.now(UTC) + HOUR
    bench.sender.send_messages(
        ServiceBusMessage(
            b"", message_id="m", session_id="timed", scheduled_enqueue_time_utc=due_at
        )
    )
    assert bench.broker.next_session("steps") == (False, None)

    bench.broker.advance(HOUR)

    (message,) = bench.receiver(ANY, max_wait_time=5).receive_messages(1)
    assert message.message_id == "m"


def test_a_message_laid_aside_tells_why(bench: Bench) -> None:
    bench.send("m", "bad")
    receiver = bench.receiver("bad")
    (message,) = receiver.receive_messages(1, max_wait_time=5)
    receiver.dead_letter_message(message, reason="strange", error_description="no JSON")

    dead = bench.client.get_queue_receiver("steps", sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    (letter,) = dead.peek_messages(10)

    assert letter.message_id == "m"
    assert (letter.dead_letter_reason, letter.dead_letter_error_description) == (
        "strange",
        "no JSON",
    )


def test_what_it_cannot_do_it_says(bench: Bench) -> None:
    with pytest.raises(ServiceBusError, match="read by session"):
        bench.client.get_queue_receiver("steps").__enter__()


def test_its_state_outlives_a_stop(bench: Bench) -> None:
    bench.send("m")
    bench.broker.stop()
    assert bench.broker.messages("steps") == ["m"]

    bench.broker.start()
    bench.client.get_queue_sender("steps").__enter__()

    assert bench.broker.connections == 1


def test_a_stop_also_cuts_whoever_has_not_opened_its_connection_yet() -> None:
    """Else a client waits for the rest of the answer for ever."""
    broker = Broker()
    broker.start()
    with socket.create_connection((HOST, broker.port), timeout=10) as half:
        half.sendall(b"AMQP\x03\x01\x00\x00")
        assert half.recv(1) == b"A"

        broker.stop()

        while half.recv(1000):
            pass
