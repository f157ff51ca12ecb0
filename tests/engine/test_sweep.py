"""The sweep in a crowd: a way back waits behind nobody, and a queue that is down is asked once."""

from datetime import timedelta

import pytest

from rollout import sweeping
from rollout.core.endpoint import EndpointId
from rollout.core.events import AbortRequested
from rollout.core.head import Head
from rollout.core.rollout import Phase
from rollout.core.traffic import Traffic
from rollout.errors import Unavailable
from rollout.ports import Message
from tests.fakes import NOON
from tests.simulation.world import CHURN, World

ABORT = AbortRequested(id="1", who="anna")
LATE = timedelta(seconds=61)


def a_crowd(world: World, size: int) -> None:
    """So many other endpoints that were due long before: after an outage, each with its message."""
    for number in range(size):
        name = f"endpoint-{number}"
        endpoint = EndpointId(subscription="s", resource_group="g", workspace="w", name=name)
        head = Head(endpoint=endpoint, due_at=NOON - timedelta(hours=1))
        world.store.save(world.store.load(endpoint), head)


def on_its_way_back() -> World:
    """Azure was busy when the rollback was asked for; the queue brings no message meanwhile."""
    world = World()
    world.start()
    world.run(minutes=12)
    world.azure.faults.busy = 1.0
    world.tell(ABORT)
    world.queue.rows.clear()
    world.clock.advance(LATE)
    world.azure.faults.busy = 0.0
    return world


@pytest.mark.parametrize("limit", [1, 5, 2000])
def test_a_late_way_back_is_asked_for_in_the_sweep_whatever_else_is_late(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = on_its_way_back()
    a_crowd(world, 10)
    monkeypatch.setattr(sweeping, "SWEEP_LIMIT", limit)
    monkeypatch.setattr(sweeping, "FEW", min(limit, 5))

    world.engine.sweep()

    back = world.azure.writes[-1]
    assert (back.at, back.traffic) == (world.clock.now(), Traffic.all_to("blue"))
    assert world.phase is Phase.ROLLING_BACK


def test_a_way_back_that_cannot_be_looked_at_stops_no_other_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = on_its_way_back()
    a_crowd(world, 3)

    def fails(*_: object) -> None:
        raise Unavailable("the store is busy")

    monkeypatch.setattr(world.engine, "_wake", fails)

    assert world.engine.sweep() == 4
    assert len(world.queue.rows) == 3


def test_what_is_late_is_sent_earliest_first_and_the_rest_by_the_next_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    a_crowd(world, 5)
    monkeypatch.setattr(sweeping, "SWEEP_LIMIT", 3)
    monkeypatch.setattr(sweeping, "FEW", 2)

    world.engine.sweep()
    first = {row.message.session for row in world.queue.rows.values()}
    for held in list(world.store.due(NOON, 3)):
        loaded = world.store.load(held.endpoint)
        world.store.save(loaded, held.model_copy(update={"due_at": NOON + timedelta(minutes=5)}))
    world.engine.sweep()
    both = {row.message.session for row in world.queue.rows.values()}

    assert (len(first), len(both)) == (3, 5)


def test_a_queue_that_is_down_is_asked_once_and_the_steps_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each question may take seconds until it fails: with 2,000 of them no step would be taken."""
    world = World()
    world.start()
    world.run(minutes=12)
    world.clock.advance(timedelta(minutes=3))
    turn, asked = world.head.turn, list[Message]()

    def down(message: Message) -> None:
        asked.append(message)
        raise Unavailable("the queue is down")

    monkeypatch.setattr(world.queue, "send", down)
    a_crowd(world, 4)
    world.engine.sweep()

    assert world.store.load(CHURN).head.turn > turn
    sent_again = [one for one in asked if one.not_before == world.clock.now()]
    assert len(sent_again) == 1
