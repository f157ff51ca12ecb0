"""Steps over Service Bus on bad days: every event is decided once, and nothing is lost."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue

import pytest
from azure.servicebus.exceptions import SessionLockLostError

from rollout.adapters.azure.service_bus_links import REST
from rollout.core.head import Wake
from rollout.errors import Malformed, Unavailable
from rollout.ports import Message
from rollout.wakes import STEPS_QUEUE
from tests.broker.pump import Delivered, Pump
from tests.broker.queues import TOO_OFTEN, QueueSpec
from tests.broker.site import PATIENCE, Gate, Meeting, Site
from tests.simulation.world import CHURN

DELIVERIES_MAX = 4
SPECS = {"steps": QueueSpec(deliveries_max=DELIVERIES_MAX), "events": QueueSpec(sessions=False)}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(SPECS, tmp_path)
    with site.broker:
        yield site
        site.stop()


def test_a_message_is_a_step_and_then_it_is_gone(site: Site) -> None:
    wake = site.start_rollout()
    pump = site.work()

    site.send(wake)

    assert site.done.get(timeout=PATIENCE) == (wake.message_id, 1)
    site.stop()
    assert site.now() == site.once()
    assert wake.message_id not in site.broker.messages("steps")
    assert (pump.failures, pump.trouble) == ([], [])


def test_a_worker_that_lost_its_session_decides_nothing_a_second_time(site: Site) -> None:
    wake = site.start_rollout()
    gate = Gate(site.world.azure)
    slow = site.work(site.worker(gate))
    site.send(wake)
    assert gate.entered.wait(PATIENCE)

    site.broker.lose_session("steps", CHURN.key)
    site.work(site.worker())
    assert site.done.get(timeout=PATIENCE) == (wake.message_id, 2)
    gate.opened.set()

    assert site.done.get(timeout=PATIENCE) == (wake.message_id, 1)
    site.stop()
    assert site.now() == site.once()
    assert any(isinstance(trouble, SessionLockLostError) for trouble in slow.trouble)


def test_two_workers_that_see_the_same_decide_it_once(site: Site) -> None:
    wake = site.start_rollout()
    both = threading.Barrier(2)
    for _ in range(2):
        site.work(site.worker(Meeting(site.world.azure, both)))
    copies = [wake.model_copy(update={"attempt": number}) for number in range(8)]

    for number, copy in enumerate(copies):
        site.send(copy, "another session" if number % 2 else CHURN.key)

    done = {site.done.get(timeout=PATIENCE) for _ in copies}
    site.stop()
    assert done == {(copy.message_id, 1) for copy in copies}
    assert site.now() == site.once()


def test_a_step_without_state_comes_back_later_instead_of_failing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    wake = site.start_rollout()
    again = wake.model_copy(update={"retries": 1})

    def down(_: object) -> None:
        raise Unavailable("the state is away", timedelta(seconds=7))

    pump = site.work()
    with monkeypatch.context() as away:
        away.setattr(site.store, "load", down)
        site.send(wake)
        assert site.done.get(timeout=PATIENCE) == (wake.message_id, 1)
        assert again.message_id in site.broker.messages("steps")

    site.world.clock.advance(timedelta(seconds=7))

    assert site.done.get(timeout=PATIENCE) == (again.message_id, 1)
    site.stop()
    assert site.now() == site.once()
    assert pump.failures == []


def test_a_strange_body_is_laid_aside_and_its_session_goes_on(site: Site) -> None:
    wake = site.start_rollout()
    site.queue.send(Message(STEPS_QUEUE, CHURN.key, "strange", b"?"))
    site.send(wake)

    pump = site.work()

    assert site.done.get(timeout=PATIENCE) == (wake.message_id, 1)
    site.stop()
    assert [type(failure) for failure in pump.failures] == [Malformed] * DELIVERIES_MAX
    (letter,) = site.queue.dead_letters()
    assert (letter.message.id, letter.message.body) == ("strange", b"?")
    assert (letter.deliveries, letter.reason.partition(":")[0]) == (DELIVERIES_MAX, TOO_OFTEN)


def test_what_fails_comes_again_before_what_came_after_it(site: Site) -> None:
    seen: SimpleQueue[tuple[str, int]] = SimpleQueue()

    def fail_first(_body: bytes, about: Delivered) -> None:
        seen.put((about.id, about.count))
        if about.count == 1 and about.id == "first":
            raise RuntimeError("not today")

    for name in ("first", "second"):
        site.queue.send(Message(STEPS_QUEUE, "s", name, b""))
    site.pumps.append(Pump(site.broker.connection_string))
    site.pumps[0].start(STEPS_QUEUE, fail_first)

    order = [seen.get(timeout=PATIENCE) for _ in range(3)]
    assert order == [("first", 1), ("first", 2), ("second", 1)]


def test_a_broker_that_goes_away_in_the_middle_loses_nothing(site: Site) -> None:
    wake = site.start_rollout()
    gate = Gate(site.world.azure)
    site.work(site.worker(gate))
    site.send(wake)
    assert gate.entered.wait(PATIENCE)

    site.broker.stop()
    with pytest.raises(Unavailable):
        site.send(_later(wake))
    gate.opened.set()
    assert site.done.get(timeout=PATIENCE) == (wake.message_id, 1)
    site.broker.start()
    site.world.clock.advance(REST)
    site.send(_later(wake))

    done = {site.done.get(timeout=PATIENCE)[0] for _ in range(2)}
    site.stop()
    assert done == {wake.message_id, _later(wake).message_id}
    assert site.now()[0].turn == site.once()[0].turn


def _later(wake: Wake) -> Wake:
    return wake.model_copy(update={"attempt": 9})


def test_a_queue_without_sessions_is_pumped_too(site: Site) -> None:
    seen: SimpleQueue[tuple[bytes, str | None]] = SimpleQueue()
    site.pumps.append(Pump(site.broker.connection_string))
    site.pumps[0].start(
        "events", lambda body, about: seen.put((body, about.session)), sessions=False
    )

    site.queue.send(Message("events", "", "m", b"body"))

    assert seen.get(timeout=PATIENCE) == (b"body", None)
