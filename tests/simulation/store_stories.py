"""A store that says no for a while, just when the traffic is to go back: Azure is asked at once."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random

from rollout.core.events import AbortRequested
from tests.simulation.stories import MINUTE, Story, rolled_back, told
from tests.simulation.world import World

ASKED_WITHIN = timedelta(minutes=2)
"""So long Azure may be busy with something else, while a caller asks again each second."""

REFUSED_FOR = timedelta(hours=2)


# -- what happens ------------------------------------------------------------------------------


def _aborts(world: World, dice: Random) -> None:
    stop = AbortRequested(id="stop", who="anna", why="complaints")
    minutes = dice.uniform(4, 20)

    def now() -> None:
        at = world.clock.now()
        world.roads.refuse_until(at + minutes * MINUTE)
        told(world, stop)
        asked = [one.at - at for one in world.azure.writes if one.expect is None and one.at >= at]
        took = min(asked, default=None)
        assert took is not None, "P2: the store refused, and Azure was not asked"
        assert took < ASKED_WITHIN, f"P2: the store refused, and Azure was asked after {took}"

    world.at(dice.uniform(1, 25), now)


def _turns_bad(world: World, dice: Random) -> None:
    """What a look decides by itself is not saved either."""

    def now() -> None:
        at = world.clock.now()
        world.roads.refuse_until(at + REFUSED_FOR)
        world.azure.deployments["green"].error_rate = _bad_since(at)

    at = dice.uniform(8, 25)
    world.at(at, now)
    world.at(at + REFUSED_FOR / MINUTE - 1, lambda: _serves_nobody(world))


def _bad_since(since: datetime) -> Callable[[datetime], float]:
    return lambda at: 0.3 if at >= since else 0.0


def _serves_nobody(world: World) -> None:
    found = world.azure.traffic
    assert not found.share("green"), f"P2: the store refused, and green is bad, and has {found}"


STORE_STORIES: Mapping[str, Story] = {
    "store refuses, abort": Story(_aborts, rolled_back),
    "store refuses, bad": Story(_turns_bad, rolled_back),
}
