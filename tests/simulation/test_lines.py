"""A worker is killed once at every line of the engine that an aborted rollout runs through."""

import logging

import pytest

from rollout.core.events import AbortRequested
from rollout.core.rollout import Phase
from tests.simulation.oaths import Oaths
from tests.simulation.promises import Promises
from tests.simulation.stories import GREEN, insisting, told
from tests.simulation.world import World

SHORT = """
schema: 1
match: {endpoint: "churn*"}
stages:
  - smoke:  {requests: smoke/churn.jsonl}
  - canary: {weight: 25, shortest_minutes: 1, longest_minutes: 60}
  - bake:   {shortest_minutes: 0}
guards:
  - {metric: error_rate, worse_by_ratio: 1.25, worse_by_points: 0.0005, severity: fail}
"""


def a_rollout(line: tuple[str, int, int] | None, *, aborted: bool) -> World:
    world = World(seed=7, policy=SHORT)
    for deployment in world.azure.deployments.values():
        deployment.error_rate = lambda _: 0.0
    world.deaths.watching, world.deaths.line = line is None, line
    Promises(world)
    Oaths(world)
    insisting(world, lambda: world.deaths.during(world.start))
    if aborted:
        stop = AbortRequested(id="stop", who="anna", why="complaints")
        world.at(3, lambda: told(world, stop))
    world.run(minutes=60)
    return world


@pytest.mark.parametrize("aborted", [False, True])
def test_a_worker_may_die_at_every_line(aborted: bool) -> None:
    logging.disable(logging.CRITICAL)
    ran = a_rollout(None, aborted=aborted).deaths.lines
    assert len(ran) > 100

    for (name, line), times in sorted(ran.items()):
        world = a_rollout((name, line, (times + 1) // 2), aborted=aborted)

        where = f"{name}:{line}"
        assert world.deaths.died, f"nobody died at {where}"
        assert world.phase is (Phase.ROLLED_BACK if aborted else Phase.PROMOTED), where
        assert world.azure.traffic == (world.rollout.recorded if aborted else GREEN), where
        assert not world.head.owed, where
    logging.disable(logging.NOTSET)
