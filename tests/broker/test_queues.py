"""The broker's own queue, without a network: sessions, locks, counts, duplicates, time."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.broker.queues import TOO_OFTEN, BrokerQueue, Fate, Outcome, QueueSpec, Refusal, Sent
from tests.fakes import NOON

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ANN, BOB = "ann", "bob"


@pytest.fixture
def queue() -> BrokerQueue:
    return a_queue()


def a_queue(**spec: object) -> BrokerQueue:
    dead = BrokerQueue("dead", QueueSpec(sessions=False))
    return BrokerQueue("steps", QueueSpec(**spec), dead)  # type: ignore[arg-type]


def sent(name: str, session: str | None = "s", minutes: float | None = None) -> Sent:
    due_at = None if minutes is None else NOON + timedelta(minutes=minutes)
    return Sent(b"", name, session, due_at)


def taken(queue: BrokerQueue, holder: str = ANN, minutes: float = 0) -> str | None:
    one = queue.take("s", holder, NOON + timedelta(minutes=minutes))
    return one.sent.id if one else None


def deliveries(queue: BrokerQueue) -> list[int]:
    return [one.deliveries for one in queue.stored.values()]


def test_a_session_has_one_holder(queue: BrokerQueue) -> None:
    queue.send(sent("m"), NOON)

    assert queue.accept(None, ANN, NOON) == "s"
    assert queue.accept(None, BOB, NOON) is None
    with pytest.raises(Refusal, match="s is locked"):
        queue.accept("s", BOB, NOON)


def test_a_holder_that_goes_away_has_not_received_anything(queue: BrokerQueue) -> None:
    queue.send(sent("m"), NOON)
    queue.accept("s", ANN, NOON)
    taken(queue)

    queue.release(ANN)

    assert queue.accept(None, BOB, NOON) == "s"
    assert deliveries(queue) == [0]


def _run_out(queue: BrokerQueue) -> None:
    queue.tick(NOON + MINUTE)


def _lose(queue: BrokerQueue) -> None:
    queue.lose("s")


@pytest.mark.parametrize("lose", [_run_out, _lose])
def test_a_session_that_is_lost_counts_as_a_delivery(
    queue: BrokerQueue, lose: Callable[[BrokerQueue], None]
) -> None:
    queue.send(sent("m"), NOON)
    queue.accept("s", ANN, NOON)
    one = queue.take("s", ANN, NOON)
    assert one
    assert one.lock
    token = one.lock.token

    lose(queue)

    assert deliveries(queue) == [1]
    with pytest.raises(Refusal, match="lock was lost"):
        queue.settle(token, Outcome(Fate.COMPLETE), NOON + MINUTE)


def test_a_renewed_session_keeps_its_messages(queue: BrokerQueue) -> None:
    queue.send(sent("m"), NOON)
    queue.accept("s", ANN, NOON)
    taken(queue)

    assert queue.renew_session("s", NOON + MINUTE / 2) == NOON + MINUTE * 1.5
    queue.tick(NOON + MINUTE)

    assert deliveries(queue) == [0]
    assert queue.losers == []


def test_too_many_deliveries_bury_a_message_and_the_session_goes_on() -> None:
    queue = a_queue(deliveries_max=2)
    queue.send(sent("bad"), NOON)
    queue.send(sent("good"), NOON)
    queue.accept("s", ANN, NOON)
    for _ in range(2):
        one = queue.take("s", ANN, NOON)
        assert one
        assert one.lock
        queue.settle(one.lock.token, Outcome(Fate.ABANDON), NOON)

    assert taken(queue) == "good"
    assert queue.dead
    assert [one.reason for one in queue.dead.peek(0, 9)] == [TOO_OFTEN]


def test_a_repeat_is_dropped_also_when_it_is_scheduled_or_was_cancelled(queue: BrokerQueue) -> None:
    number = queue.send(sent("m", minutes=30), NOON)
    queue.send(sent("m"), NOON)
    queue.cancel(number)
    queue.send(sent("m"), NOON + HOUR - MINUTE)
    assert queue.stored == {}

    queue.send(sent("m"), NOON + HOUR)

    assert len(queue.stored) == 1


def test_a_scheduled_message_gets_its_number_when_its_time_comes(queue: BrokerQueue) -> None:
    first = queue.send(sent("later", minutes=1), NOON)
    second = queue.send(sent("now"), NOON)
    queue.tick(NOON + MINUTE)

    assert [one.sent.id for one in queue.peek(0, 9)] == ["now", "later"]
    assert first < second < max(queue.stored)
    with pytest.raises(Refusal, match="no such scheduled message"):
        queue.cancel(first)


def test_a_queue_with_sessions_takes_nothing_without_one(queue: BrokerQueue) -> None:
    with pytest.raises(Refusal, match="requires a session id"):
        queue.send(sent("m", None), NOON)
