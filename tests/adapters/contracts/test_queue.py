"""What every Queue must pass; a new implementation is one line in QUEUES."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rollout.adapters.sqlite.queue import Delivery, SqliteQueue
from rollout.errors import Conflict, Unknown
from rollout.ports import Message, Queue
from tests.adapters.contracts.bus import bus_queue
from tests.adapters.contracts.rows import HOUR, MINUTE
from tests.fakes import NOON, FakeClock, FakeQueue

LEASE = 5 * MINUTE
SECOND = timedelta(seconds=1)


class ReceivingQueue(Queue, Protocol):
    """A queue with the side on which its messages come out."""

    def receive(self, queue: str, now: datetime, lease: timedelta) -> Delivery | None: ...
    def complete(self, delivery: Delivery) -> None: ...
    def abandon(self, delivery: Delivery, reason: str) -> None: ...
    def renew(self, delivery: Delivery) -> Delivery: ...
    def next_due(self, queue: str) -> datetime | None: ...


QUEUES: dict[str, Callable[[Path, FakeClock], AbstractContextManager[ReceivingQueue]]] = {
    "fake": lambda _, clock: nullcontext(FakeQueue(clock)),
    "sqlite": lambda folder, clock: closing(SqliteQueue(folder / "rollout.db", clock)),
    "service bus": lambda _, clock: bus_queue(clock),
}


class Bench:
    """A queue, its clock, and the few words the tests speak to them."""

    def __init__(self, queue: ReceivingQueue, clock: FakeClock) -> None:
        self.queue, self.clock = queue, clock

    def send(self, name: str, session: str = "s", after: timedelta | None = None) -> None:
        self.queue.send(a_message(name, session, self.clock.now() + after if after else None))

    def receive(self, queue: str = "steps") -> Delivery | None:
        return self.queue.receive(queue, self.clock.now(), LEASE)

    def received(self) -> Delivery:
        delivery = self.receive()
        assert delivery, "nothing was due"
        return delivery

    def drain(self) -> list[str]:
        """Receive and complete until nothing is due."""
        names = []
        while delivery := self.receive():
            self.queue.complete(delivery)
            names.append(delivery.message.id)
        return names


def a_message(name: str = "m", session: str = "s", not_before: datetime | None = None) -> Message:
    return Message("steps", session, name, f"body of {name}".encode(), not_before)


@pytest.fixture(params=QUEUES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    clock = FakeClock()
    with QUEUES[request.param](tmp_path, clock) as queue:
        yield Bench(queue, clock)


def test_an_empty_queue_gives_nothing(bench: Bench) -> None:
    assert bench.receive() is None
    assert bench.queue.next_due("steps") is None
    assert bench.queue.dead_letters() == []


def test_a_message_comes_out_as_it_went_in(bench: Bench) -> None:
    message = Message("steps", "s", "m", bytes(range(256)), NOON - SECOND)
    bench.queue.send(message)

    delivery = bench.received()

    assert delivery.message == message
    assert (delivery.count, delivery.until) == (1, NOON + LEASE)


def test_a_completed_message_is_gone(bench: Bench) -> None:
    bench.send("m")
    bench.queue.complete(bench.received())
    bench.clock.advance(HOUR)

    assert bench.receive() is None
    assert bench.queue.next_due("steps") is None


def test_queues_do_not_mix(bench: Bench) -> None:
    bench.send("m")

    assert bench.receive("events") is None
    assert bench.queue.next_due("events") is None


def test_a_session_has_one_message_out_at_a_time(bench: Bench) -> None:
    bench.send("a1", "a")
    bench.send("a2", "a")
    bench.send("b1", "b")

    first, second = bench.received(), bench.received()
    assert [first.message.id, second.message.id] == ["a1", "b1"]
    assert bench.receive() is None

    bench.queue.complete(first)
    assert bench.received().message.id == "a2"


def test_an_abandoned_message_returns_to_the_head_of_its_session(bench: Bench) -> None:
    bench.send("m1")
    bench.send("m2")
    bench.queue.abandon(bench.received(), "busy")

    again = bench.received()

    assert (again.message.id, again.count) == ("m1", 2)


def test_a_scheduled_message_waits_for_its_time(bench: Bench) -> None:
    bench.send("later", after=10 * MINUTE)

    assert bench.receive() is None
    bench.clock.advance(10 * MINUTE - SECOND)
    assert bench.receive() is None
    bench.clock.advance(SECOND)
    assert bench.received().message == a_message("later", "s", NOON + 10 * MINUTE)


def test_a_scheduled_message_does_not_block_its_session(bench: Bench) -> None:
    bench.send("later", after=10 * MINUTE)
    bench.send("now")

    assert bench.drain() == ["now"]


def test_messages_of_a_session_come_in_the_order_of_their_times(bench: Bench) -> None:
    bench.send("third", after=3 * MINUTE)
    bench.send("second", after=2 * MINUTE)
    bench.send("first")
    bench.send("also first")
    bench.clock.advance(HOUR)
    bench.send("last", after=-2 * HOUR)

    assert bench.drain() == ["first", "also first", "second", "third", "last"]


def test_a_repeated_id_is_dropped_silently_for_an_hour(bench: Bench) -> None:
    bench.send("m")
    bench.send("m", session="other")
    assert bench.drain() == ["m"]

    bench.clock.advance(HOUR - SECOND)
    bench.send("m")
    assert bench.drain() == []

    bench.clock.advance(2 * SECOND)
    bench.send("m")
    assert bench.drain() == ["m"]


def test_the_window_runs_from_the_first_send_and_not_from_the_due_time(bench: Bench) -> None:
    bench.send("m", after=2 * HOUR)
    bench.send("m")
    assert bench.drain() == []

    bench.clock.advance(HOUR + SECOND)
    bench.send("m")
    assert bench.drain() == ["m"]

    bench.clock.advance(HOUR)
    assert bench.drain() == ["m"]


def test_the_same_id_in_another_queue_is_another_message(bench: Bench) -> None:
    bench.send("m")
    bench.queue.send(Message("events", "s", "m", b""))

    assert bench.receive("events")


def test_a_lease_that_runs_out_delivers_again(bench: Bench) -> None:
    bench.send("m1")
    bench.send("m2")
    lost = bench.received()
    bench.clock.advance(LEASE)

    again = bench.received()

    assert (again.message.id, again.count) == ("m1", 2)
    for settle in (bench.queue.complete, bench.queue.renew):
        with pytest.raises(Conflict, match="m1"):
            settle(lost)
    with pytest.raises(Conflict, match="m1"):
        bench.queue.abandon(lost, "too late")
    bench.queue.complete(again)
    assert bench.drain() == ["m2"]


def test_a_lost_lease_is_lost_also_before_anybody_else_has_it(bench: Bench) -> None:
    bench.send("m")
    lost = bench.received()
    bench.clock.advance(LEASE)

    with pytest.raises(Conflict):
        bench.queue.complete(lost)

    assert bench.received().count == 2


def test_a_delivery_is_settled_once(bench: Bench) -> None:
    bench.send("m")
    delivery = bench.received()
    bench.queue.complete(delivery)

    with pytest.raises(Conflict):
        bench.queue.complete(delivery)


def test_an_abandoned_delivery_cannot_be_completed(bench: Bench) -> None:
    bench.send("m")
    delivery = bench.received()
    bench.queue.abandon(delivery, "busy")

    with pytest.raises(Conflict):
        bench.queue.complete(delivery)

    assert bench.drain() == ["m"]


def test_a_renewed_lease_lasts_longer(bench: Bench) -> None:
    bench.send("m")
    delivery = bench.received()
    for _ in range(3):
        bench.clock.advance(LEASE - SECOND)
        delivery = bench.queue.renew(delivery)
    assert delivery.until == bench.clock.now() + LEASE

    bench.clock.advance(LEASE - SECOND)
    assert bench.receive() is None
    bench.queue.complete(delivery)


def test_after_ten_deliveries_a_message_is_dead_and_its_session_goes_on(bench: Bench) -> None:
    bench.send("bad", after=-SECOND)
    bench.send("good")
    for count in range(1, 11):
        delivery = bench.received()
        assert (delivery.message.id, delivery.count) == ("bad", count)
        bench.queue.abandon(delivery, f"reason {count}")

    assert bench.drain() == ["good"]
    (letter,) = bench.queue.dead_letters()
    assert letter.message == a_message("bad", "s", NOON - SECOND)
    assert (letter.deliveries, letter.at) == (10, NOON)
    assert letter.reason


def test_leases_that_run_out_count_as_deliveries(bench: Bench) -> None:
    bench.send("slow")
    for _ in range(8):
        bench.queue.abandon(bench.received(), "busy")
    for _ in range(2):
        bench.received()
        bench.clock.advance(LEASE)

    assert bench.receive() is None
    (letter,) = bench.queue.dead_letters()
    assert (letter.message.id, letter.deliveries) == ("slow", 10)


def killed(bench: Bench, *names: str) -> None:
    for name in names:
        bench.send(name)
        for _ in range(10):
            bench.queue.abandon(bench.received(), "no")


def test_dead_letters_are_listed_oldest_first_up_to_a_limit(bench: Bench) -> None:
    killed(bench, "a", "b", "c")

    assert [letter.message.id for letter in bench.queue.dead_letters()] == ["a", "b", "c"]
    assert [letter.message.id for letter in bench.queue.dead_letters(2)] == ["a", "b"]


def test_a_resent_letter_is_due_at_once_and_starts_counting_anew(bench: Bench) -> None:
    bench.send("m", after=MINUTE)
    bench.clock.advance(MINUTE)
    killed(bench)
    for _ in range(10):
        bench.queue.abandon(bench.received(), "no")

    bench.queue.resend("steps", "m")

    delivery = bench.received()
    assert (delivery.message.session, delivery.message.body) == ("s", b"body of m")
    assert delivery.count == 1
    assert bench.queue.dead_letters() == []


def test_a_resent_letter_that_dies_again_can_be_resent_again(bench: Bench) -> None:
    killed(bench, "m")
    bench.queue.resend("steps", "m")
    for _ in range(10):
        bench.queue.abandon(bench.received(), "no")

    (letter,) = bench.queue.dead_letters()
    bench.queue.resend("steps", letter.message.id)

    assert bench.received().message.body == b"body of m"


@pytest.mark.parametrize("wrong", [("steps", "b"), ("events", "a")])
def test_only_a_dead_letter_can_be_resent(bench: Bench, wrong: tuple[str, str]) -> None:
    killed(bench, "a")
    bench.send("b")

    with pytest.raises(Unknown, match=wrong[1]):
        bench.queue.resend(*wrong)


def test_next_due_tells_when_to_look_again(bench: Bench) -> None:
    bench.send("later", "a", after=30 * MINUTE)
    assert bench.queue.next_due("steps") == NOON + 30 * MINUTE

    bench.send("now", "b")
    assert bench.queue.next_due("steps") == NOON

    delivery = bench.received()
    assert bench.queue.next_due("steps") == NOON + LEASE

    bench.queue.complete(delivery)
    assert bench.queue.next_due("steps") == NOON + 30 * MINUTE


def test_next_due_does_not_name_a_message_behind_one_that_is_out(bench: Bench) -> None:
    bench.send("m1")
    bench.send("m2")
    bench.received()

    assert bench.queue.next_due("steps") == NOON + LEASE


# -- any order of things that can happen -----------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from("abc"), st.integers(0, 9)),
        st.tuples(st.sampled_from(["complete", "abandon", "crash"]), st.just(""), st.just(0)),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 7)),
    ),
    max_size=60,
)


@pytest.mark.parametrize("name", ["fake", "sqlite"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_whatever_happens_all_arrive_and_each_session_in_order(
    name: str, steps: list[tuple[str, str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_story(name, steps, tmp_path_factory.mktemp("queue"))


@settings(max_examples=2, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(steps=STEPS)
def test_whatever_happens_all_arrive_over_service_bus_too(
    steps: list[tuple[str, str, int]],
) -> None:
    check_story("service bus", steps, Path())


def check_story(name: str, steps: list[tuple[str, str, int]], folder: Path) -> None:
    clock = FakeClock()
    with QUEUES[name](folder, clock) as queue:
        story = Story(Bench(queue, clock))
        for verb, session, number in steps:
            story.tell(verb, session, number)
        story.end()

        arrived = set(story.completed) | {letter.message.id for letter in queue.dead_letters()}
        assert arrived == set(story.sent)
        assert len(story.completed) == len(set(story.completed))


class Story:
    """What was sent, what is out, and what has arrived; checks the order of every delivery."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.sent: dict[str, tuple[str, datetime, int]] = {}
        self.completed: list[str] = []
        self.gone: set[str] = set()

    def tell(self, verb: str, session: str, number: int) -> None:
        if verb == "send":
            name = f"m{len(self.sent)}"
            due_at = self.bench.clock.now() + number * MINUTE
            self.sent[name] = (session, due_at, len(self.sent))
            self.bench.send(name, session, number * MINUTE)
        elif verb == "wait":
            self.bench.clock.advance(number * MINUTE)
        elif delivery := self.bench.receive():
            self._check_order(delivery)
            self._settle(verb, delivery)

    def end(self) -> None:
        for _ in range(2000):
            due_at = self.bench.queue.next_due("steps")
            if due_at is None:
                return
            self.bench.clock.time = max(self.bench.clock.now(), due_at)
            self.tell("complete", "", 0)
        raise AssertionError("the queue does not come to an end")

    def _settle(self, verb: str, delivery: Delivery) -> None:
        if verb == "complete":
            self.bench.queue.complete(delivery)
            self.completed.append(delivery.message.id)
        elif verb == "abandon":
            self.bench.queue.abandon(delivery, "no")

    def _check_order(self, delivery: Delivery) -> None:
        self.gone = set(self.completed)
        self.gone |= {letter.message.id for letter in self.bench.queue.dead_letters()}
        session, due_at, place = self.sent[delivery.message.id]
        assert due_at <= self.bench.clock.now()
        earlier = {
            name
            for name, (other, at, number) in self.sent.items()
            if other == session and (at, number) < (due_at, place)
        }
        assert earlier <= self.gone
