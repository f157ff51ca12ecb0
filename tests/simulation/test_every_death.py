"""A worker dies once at every call of a port and at every line of the engine, one after another."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from rollout.core.events import AbortRequested
from tests.simulation.oaths import Oaths
from tests.simulation.promises import Promises
from tests.simulation.quiet import quiet
from tests.simulation.stories import insisting, told
from tests.simulation.world import World

SHORT = """
schema: 1
match: {endpoint: "churn*"}
stages:
  - smoke:  {requests: smoke/churn.jsonl}
  - canary: {weight: 25, shortest_minutes: 2, longest_minutes: 60}
  - bake:   {shortest_minutes: 1}
guards:
  - {metric: error_rate, worse_by_ratio: 1.25, worse_by_points: 0.0005, severity: fail}
"""


def _is_promoted(world: World) -> None:
    insisting(world, world.start)
    world.run(minutes=90)


def _is_aborted(world: World) -> None:
    """In the first stage that gives it live traffic, while its way there is still owed."""
    stop = AbortRequested(id="stop", who="anna", why="complaints")
    world.at(0.6, lambda: told(world, stop))
    insisting(world, world.start)
    world.run(minutes=90)


PLOTS: Mapping[str, Callable[[World], None]] = {"promoted": _is_promoted, "aborted": _is_aborted}


@pytest.fixture(autouse=True)
def _unheard() -> Iterator[None]:
    """What a dead worker leaves is logged a thousand times."""
    with quiet():
        yield


def a_world() -> World:
    world = World(seed=7, policy=SHORT)
    for deployment in world.azure.deployments.values():
        deployment.error_rate = lambda _: 0.0
    return world


def broken(world: World, plot: str) -> str | None:
    """What the death broke, if anything."""
    promises = Promises(world)
    Oaths(world)
    try:
        PLOTS[plot](world)
        promises.at_the_end(good=plot == "promoted")
    except AssertionError as error:
        return str(error).split("\n", maxsplit=1)[0]
    return None


@pytest.mark.parametrize("plot", PLOTS)
def test_a_worker_may_die_at_every_call_of_a_port(plot: str) -> None:
    whole = a_world()
    assert broken(whole, plot) is None

    found = []
    for place in range(1, whole.deaths.chances + 1):
        world = a_world()
        world.deaths.at = place
        why = broken(world, plot)
        found += [(place, world.deaths.died, why)] if why or len(world.deaths.died) != 1 else []

    assert whole.deaths.chances > 100
    assert not found, found[:3]


@pytest.mark.parametrize("plot", PLOTS)
def test_a_worker_may_die_at_every_line_of_the_engine(plot: str) -> None:
    """At each line that runs, when it runs first; on a way back also when it runs last."""
    whole = a_world()
    whole.deaths.watching = True
    assert broken(whole, plot) is None
    lines = whole.deaths.lines

    found = []
    places = {(*line, time) for line, times in lines.items() for time in (1, times)}
    if plot == "promoted":  # whose looks are dearer
        places = {(*line, 1) for line in lines}
    for place in sorted(places):
        world = a_world()
        world.deaths.line = place
        why = broken(world, plot)
        found += [(place, why)] if why or len(world.deaths.died) != 1 else []

    assert len(lines) > 100
    assert not found, found[:3]
