"""The queue on Service Bus on bad days: what it says, and that it comes back."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

from rollout.adapters.azure import service_bus_links
from rollout.adapters.azure.identity import EmulatorCredential
from rollout.adapters.azure.service_bus import BODY_BYTES_MAX, ServiceBusQueue, connect
from rollout.adapters.azure.service_bus_errors import told
from rollout.adapters.azure.service_bus_links import REST
from rollout.errors import Refused, RolloutError, Unavailable, Unknown
from rollout.ports import Message
from tests.broker import Broker
from tests.fakes import FakeClock

QUEUES = ("steps", "events")
SECRET = "SharedAccessKey=k"  # pragma: allowlist secret


class Bench:
    """One adapter before one broker; both live as long as the module's tests."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.clock = FakeClock(datetime.now(UTC))
        self.queue = self.adapter(QUEUES)

    def adapter(self, queues: tuple[str, ...]) -> ServiceBusQueue:
        client = partial(connect, self.broker.connection_string, EmulatorCredential())
        return ServiceBusQueue(client, self.clock, queues)

    def send(self, name: str, queue: str = "steps", body: bytes = b"body") -> None:
        self.queue.send(Message(queue, "s", name, body))

    def failure(self, name: str = "m") -> RolloutError:
        with pytest.raises(RolloutError) as raised:
            self.send(name)
        return raised.value

    def rest(self) -> None:
        self.clock.advance(timedelta(minutes=1))

    def sent(self, queue: str = "steps") -> list[str | None]:
        return self.broker.messages(queue)


@pytest.fixture(scope="module")
def one() -> Iterator[Bench]:
    with Broker() as broker:
        yield Bench(broker)


@pytest.fixture
def bench(one: Bench) -> Iterator[Bench]:
    one.broker.forget()
    yield one
    one.broker.refuse_sends(None)
    one.broker.refuse_tokens(refused=False)
    one.rest()


def test_nothing_is_opened_before_it_is_needed(bench: Bench) -> None:
    before = bench.broker.connections

    adapter = bench.adapter(QUEUES)

    assert bench.broker.connections == before
    adapter.close()


def test_threads_may_send_at_once_over_one_sender(bench: Bench) -> None:
    bench.send("first")
    before = bench.broker.connections
    names = [f"m{number}" for number in range(40)]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(bench.send, names))

    assert sorted(filter(None, bench.sent())) == sorted(["first", *names])
    assert bench.broker.connections == before


def test_a_queue_without_sessions_is_sent_to_as_well(bench: Bench) -> None:
    bench.send("m", "events")

    assert bench.sent("events") == ["m"]


def test_a_broker_that_went_away_is_later_and_then_works_again(bench: Bench) -> None:
    bench.send("before")
    bench.broker.stop()

    assert isinstance(bench.failure("meanwhile"), Unavailable)
    bench.broker.start()
    bench.rest()
    bench.send("meanwhile")

    assert bench.sent() == ["before", "meanwhile"]


def test_a_connection_that_is_cut_is_opened_again_within_the_send(bench: Bench) -> None:
    bench.send("before")
    bench.broker.cut()

    bench.send("after")

    assert bench.sent() == ["before", "after"]


def test_after_a_failure_nobody_waits_for_the_same(bench: Bench) -> None:
    bench.broker.refuse_sends("amqp:internal-error")
    bench.failure()
    bench.broker.refuse_sends(None)

    again = bench.failure()

    assert isinstance(again, Unavailable)
    assert str(again) == "queue steps: it failed a moment ago"
    assert again.after == REST
    assert bench.sent() == []


def test_a_server_that_takes_a_connection_and_says_nothing_is_not_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_bus_links, "STUCK_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = bench.broker.connection_string.replace(
            str(bench.broker.port), str(silent.getsockname()[1])
        )
        client = partial(connect, address, EmulatorCredential())
        queue = ServiceBusQueue(client, bench.clock, QUEUES)

        with pytest.raises(Unavailable, match=r"queue steps: no answer in 0\.5 s"):
            queue.send(Message("steps", "s", "m", b""))
        with pytest.raises(Unavailable, match="it failed a moment ago"):
            queue.send(Message("steps", "s", "m", b""))


def test_a_busy_namespace_is_asked_again_when_it_says(bench: Bench) -> None:
    bench.broker.refuse_sends("com.microsoft:server-busy")

    busy = bench.failure()

    assert isinstance(busy, Unavailable)
    assert (str(busy), busy.after) == ("queue steps: Service Bus is busy", timedelta(seconds=10))


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (ServiceBusAuthorizationError(message=SECRET), "the role Azure Service Bus Data Owner"),
        (MessagingEntityNotFoundError(message=SECRET), "create it with sessions"),
        (MessageSizeExceededError(message=SECRET), "too large for this tier"),
        (ServiceBusError(SECRET, error=ClientAuthenticationError(SECRET)), "`az login`"),
    ],
)
def test_a_no_names_the_remedy_and_no_secret(error: ServiceBusError, remedy: str) -> None:
    no = told("steps", error)

    assert isinstance(no, Refused)
    assert remedy in str(no)
    assert SECRET not in str(no)


def test_what_nobody_foresaw_is_later_and_tells_only_its_kind() -> None:
    later = told("steps", ServiceBusError(SECRET))

    assert isinstance(later, Unavailable)
    assert str(later) == "queue steps: it failed (ServiceBusError)"


def test_a_token_that_is_not_taken_is_a_missing_role(bench: Bench) -> None:
    bench.broker.refuse_tokens()
    bench.queue.close()

    no = bench.failure()

    assert isinstance(no, Refused)
    assert "the role Azure Service Bus Data Owner" in str(no)


def test_a_queue_that_was_not_created_is_named(bench: Bench) -> None:
    adapter = bench.adapter(("absent",))

    with pytest.raises(Refused, match="queue absent: the namespace has no such queue"):
        adapter.send(Message("absent", "s", "m", b""))


def test_a_message_that_is_too_large_is_not_sent(bench: Bench) -> None:
    bench.send("largest", body=bytes(BODY_BYTES_MAX))
    with pytest.raises(Refused, match="message m for steps has 261121 bytes"):
        bench.send("m", body=bytes(BODY_BYTES_MAX + 1))

    assert bench.sent() == ["largest"]


def test_an_unknown_queue_is_answered_with_the_known_ones(bench: Bench) -> None:
    with pytest.raises(Unknown, match="no queue stpes; known: steps, events"):
        bench.queue.resend("stpes", "m")


def test_a_resend_that_was_cut_short_can_be_repeated(bench: Bench) -> None:
    bench.send("m")
    bench.send("n")
    for name in ("m", "n"):
        bench.broker.bury("steps", name)
    bench.broker.refuse_sends("com.microsoft:server-busy")
    with pytest.raises(Unavailable):
        bench.queue.resend("steps", "n")
    assert bench.broker.dead("steps") == ["m", "n"]

    bench.broker.refuse_sends(None)
    bench.rest()
    bench.queue.resend("steps", "n")

    assert bench.broker.dead("steps") == ["m"]
    assert [str(name).partition(":")[0] for name in bench.sent()] == ["n"]
