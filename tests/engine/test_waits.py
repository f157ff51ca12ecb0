"""When the engine looks again: seldom enough to cost little, and never not at all."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from rollout.core.endpoint import EndpointId, EndpointView
from rollout.core.head import Wake
from rollout.core.rollout import Phase
from rollout.core.traffic import Traffic
from rollout.ports import Accepted, Message
from tests.simulation.azure import Faults
from tests.simulation.promises import Promises
from tests.simulation.world import World

ONE_CANARY = """
schema: 1
match: {endpoint: "churn*"}
stages:
  - canary: {weight: 5, shortest_minutes: 5, longest_minutes: 60}
"""


def test_messages_that_come_two_minutes_late_cost_only_time() -> None:
    """As where the platform has to start from no instance at all, each time."""
    world = World(policy=ONE_CANARY)
    promises, send = Promises(world), world.queue.send

    def late(message: Message) -> None:
        due = message.not_before or world.clock.now()
        send(replace(message, not_before=due + timedelta(minutes=2)))

    world.queue.send = late  # type: ignore[method-assign]
    world.start()

    assert world.run(minutes=300).phase is Phase.PROMOTED
    promises.at_the_end(good=True)
    promises.shortest_times_were_kept(timedelta(minutes=1))


def test_no_message_of_a_rollout_finds_nothing_to_do() -> None:
    """A write that is accepted leaves the look that is planned: a second one would be in vain."""
    world = World(policy=ONE_CANARY)
    in_vain, wake = list[Wake](), world._wake

    def told(message: Wake) -> None:
        before = world.head
        wake(message)
        if world.head == before:
            in_vain.append(message)

    world._wake = told  # type: ignore[assignment,method-assign]
    world.start()

    assert world.run(minutes=120).phase is Phase.PROMOTED
    assert in_vain == []


def test_a_write_that_took_longer_than_its_look_was_planned_is_looked_at_anew() -> None:
    """The planned message has come and gone meanwhile."""
    world = World(policy=ONE_CANARY)
    write = world.azure._write

    def slow(traffic: Traffic, expect: Traffic | None) -> Accepted:
        world.clock.advance(timedelta(seconds=40))
        return write(traffic, expect)

    world.azure._write = slow  # type: ignore[method-assign]
    world.start()
    world.run(minutes=0.2)

    assert world.head.due_at is not None
    assert world.head.due_at > world.clock.now()
    assert world.queue.rows


def test_a_shift_is_looked_for_less_and_less_often() -> None:
    """A platform that needs minutes is not asked every few seconds."""
    world = World(policy=ONE_CANARY, faults=Faults(operation=(600, 600)))
    looks = list[datetime]()
    read = world.azure.read

    def noted(endpoint: EndpointId) -> EndpointView:
        looks.append(world.clock.now())
        return read(endpoint)

    world.azure.read = noted  # type: ignore[method-assign]
    world.start()
    world.run(minutes=8)

    waits = [(two - one).total_seconds() for one, two in pairwise(looks) if two > one]
    assert waits[-1] == 60
    assert max(waits) == 60
    assert len(waits) < 16
