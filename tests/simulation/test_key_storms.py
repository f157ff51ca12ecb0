"""Storms over rotations: no client that reads in time is ever refused, whatever fails and when."""

import os
from datetime import datetime, timedelta
from typing import Any

import pytest

from rollout.core.events import AbortRequested
from rollout.core.rollout import Phase
from rollout.core.rotation.state import KeyName, RotationPhase
from rollout.ports import Answer
from tests.simulation.azure import Faults
from tests.simulation.key_stories import rotated
from tests.simulation.key_world import KeyWorld
from tests.simulation.keys import KeyFaults
from tests.simulation.stories import insisting
from tests.simulation.workers import Died
from tests.simulation.world import CHURN, LEASE

SEEDS = range(int(os.environ.get("SEEDS", "8")))
STORM = KeyFaults(
    never_lands=0.1,
    busy=0.2,
    throttled=0.05,
    lost_answer=0.15,
    lost_request=0.1,
    lands=(0.0, 90.0),
    refused=(0.0, 120.0),
)


def a_storm(seed: int) -> KeyWorld:
    world = KeyWorld(seed, STORM, deaths=0.01)
    world.lost_messages = 0.05
    world.doubled_messages = 0.1
    return world


@pytest.mark.parametrize("seed", SEEDS)
def test_no_client_is_refused_in_any_storm(seed: int) -> None:
    world = a_storm(seed)
    before = set(world.keys.keys.values())

    for number in range(3):
        rotated(world, number)

    assert not world.refused, "\n".join([*world.key_story, *world.refused[:5]])
    assert not before & set(world.keys.keys.values())
    assert world.keys.opens(world.published)


@pytest.mark.parametrize("place", range(1, 260, 2))
def test_a_worker_may_die_at_any_call_of_a_rotation(place: int) -> None:
    """One death, at each port call in turn; the platform takes its time, and nothing is lost."""
    world = KeyWorld(seed=3)
    world.deaths.at = place

    rotated(world, 1)

    assert not world.refused, "\n".join([*world.key_story, *world.refused[:5]])
    assert sorted(world.keys.regenerated) == [KeyName.PRIMARY, KeyName.SECONDARY] or (
        len(world.keys.regenerated) == 3 and world.deaths.died
    )


@pytest.mark.parametrize("phase", [RotationPhase.PROVING, RotationPhase.CONFIRMING])
@pytest.mark.parametrize("answers", [1, 5, 9])
@pytest.mark.parametrize("answer_seconds", [0.02, 3.0])
def test_a_death_among_the_ten_probes_costs_no_more_than_the_lease_of_the_dead(
    phase: RotationPhase, answers: int, answer_seconds: float
) -> None:
    """A message that the dead held comes again when its lease is over: until then nobody looks."""
    quick = KeyFaults(operation=(1, 1), lands=(0, 0), refused=(0, 0))
    world = KeyWorld(seed=3, faults=quick, clients=0)
    probe = world.keys.probe
    seen: list[datetime] = []

    def slow(*asked: Any) -> Answer:
        world.clock.advance(timedelta(seconds=answer_seconds))
        if world.rotation.phase is phase:
            seen.append(world.clock.now())
            if len(seen) == answers:
                raise Died("among the probes")
        return probe(*asked)

    world.keys.probe = slow  # type: ignore[method-assign,assignment]

    rotated(world, 1)

    died_at, next_at = seen[answers - 1], seen[answers]
    assert next_at - died_at <= LEASE + timedelta(seconds=answer_seconds)
    unsaved = 2 if answer_seconds > 1 else 10
    assert 10 < len(seen) <= 10 + unsaved


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leak_is_closed_at_once_and_the_secret_always_holds_a_key_that_works(seed: int) -> None:
    world = a_storm(seed)
    world.clients = []
    leaked = world.published
    begun = world.clock.now()

    rotated(world, 1, leaked=True)

    assert not world.keys.opens(leaked)
    assert world.keys.opens(world.published)
    assert world.clock.now() - begun < timedelta(hours=2)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_abort_at_any_moment_leaves_every_client_its_key(seed: int) -> None:
    world = a_storm(seed)
    insisting(world, world.rotate)

    def abort() -> None:
        insisting(world, lambda: world.rotations.abort(CHURN, "stop", "ben", "wrong day"))

    world.at(world.random.uniform(0, 25), abort)
    world.pass_time(minutes=60)
    for _ in range(30):  # whatever was under way lands, and every client reads twice
        world.clock.advance(timedelta(minutes=1))
        world.keys.settle()
        world.serve()

    assert not world.refused, "\n".join([*world.key_story, *world.refused[:5]])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rollout_and_a_rotation_on_one_endpoint_both_come_to_their_end(seed: int) -> None:
    world = KeyWorld(seed, STORM, deaths=0.003, azure=Faults(busy=0.2, throttled=0.1))
    for deployment in world.azure.deployments.values():
        deployment.error_rate = lambda _: 0.0
    insisting(world, world.rotate)

    world.at(world.random.uniform(0, 20), lambda: insisting(world, world.start))
    rotated(world, 1)
    world.run(minutes=600)

    assert not world.refused, "\n".join([*world.key_story, *world.refused[:5]])
    assert world.phase is Phase.PROMOTED, "\n".join(world.key_story)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_way_back_waits_for_no_key(seed: int) -> None:
    world = KeyWorld(seed, KeyFaults(operation=(20, 40)))
    world.start()
    world.run(minutes=12)
    assert world.phase is Phase.MEASURING
    world.rotate(forced=True)
    asked: list[timedelta] = []

    def abort() -> None:
        begun = world.clock.now()
        world.tell(AbortRequested(id="stop", who="anna", why="complaints"))
        asked.extend(one.at - begun for one in world.azure.writes if one.expect is None)

    world.at(world.random.uniform(0, 1), abort)
    world.pass_time(minutes=120)

    assert asked == [timedelta(0)]
    assert not world.refused


def test_what_somebody_else_publishes_is_not_written_over() -> None:
    world = KeyWorld(seed=5)
    world.rotate()
    world.pass_time(minutes=1)
    assert world.rotation.phase in {RotationPhase.PROVING, RotationPhase.OVERLAPPING}
    assert world.secrets is not None
    strange = world.secrets.versions["churn-key"][0]
    world.clients = []

    world.secrets.publish("churn-key", strange.value, None, {})
    phase = world.pass_time(minutes=60)

    assert phase is RotationPhase.ASKING
    assert "somebody else wrote churn-key" in str(world.rotation.trouble)
