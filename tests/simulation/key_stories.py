"""Rotations in storms: clients keep a key for the overlap, and none is ever refused."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from random import Random

from rollout.core.head import Head, HistoryEntry
from rollout.core.rollout import Phase
from rollout.core.rotation.state import RotationPhase
from tests.simulation.key_world import KeyWorld
from tests.simulation.keys import KeyFaults
from tests.simulation.stories import Story, insisting
from tests.simulation.world import CHURN, World

ANSWERS_MAX = 20
KEY_FAULTS: Mapping[str, tuple[str, object]] = {
    "keys never_lands": ("never_lands", 0.1),
    "keys busy": ("busy", 0.2),
    "keys throttled": ("throttled", 0.05),
    "keys lost_answer": ("lost_answer", 0.15),
    "keys lost_request": ("lost_request", 0.1),
    "keys late": ("lands", (0.0, 90.0)),
    "keys refused": ("refused", (0.0, 120.0)),
}
"""The faults of the endpoint's keys; those of queue, store and workers strike as well."""

ALSO = (
    "lost_messages",
    "doubled_messages",
    "delayed_messages",
    "queue_down",
    "store_down",
    "store_deaf",
    "store_refuses",
    "deaths",
)


def key_fault(name: str) -> Callable[[World], None]:
    what, value = KEY_FAULTS[name]

    def strikes(world: World) -> None:
        assert isinstance(world, KeyWorld), world
        setattr(world.keys.faults, what, value)
        if isinstance(value, tuple):
            world.chances.struck[name] += 1

    return strikes


def _key_world(seed: int) -> KeyWorld:
    world = KeyWorld(seed, KeyFaults())
    for deployment in world.azure.deployments.values():
        deployment.error_rate = lambda _: 0.0
    return world


def rotated(world: KeyWorld, number: int, **wish: object) -> None:
    """Until it is over; whoever is asked on the way looks into it, and says: go on."""
    insisting(world, lambda: world.rotate(f"rotate {number}", **wish))
    for answer in range(ANSWERS_MAX):
        phase = world.pass_time(minutes=600)
        if phase is not RotationPhase.ASKING:
            break
        world.clock.advance(timedelta(seconds=30))
        go_on = f"go on {number}.{answer}"
        insisting(world, partial(world.rotations.resume, CHURN, go_on, "anna", "", None))
    assert world.rotation.phase is RotationPhase.ROTATED, f"P7: it ended {world.key_story[-1]}"


# -- what happens ------------------------------------------------------------------------------


def _thrice(world: World, _dice: Random) -> None:
    assert isinstance(world, KeyWorld), world
    before = set(world.keys.keys.values())
    for number in range(3):
        rotated(world, number)
    assert not before & set(world.keys.keys.values()), "P7: an old key is alive"


def _leaked(world: World, _dice: Random) -> None:
    assert isinstance(world, KeyWorld), world
    world.clients = []
    leaked, begun = world.published, world.clock.now()
    rotated(world, 1, leaked=True)
    assert not world.keys.opens(leaked), "P7: the leaked key still opens the endpoint"
    assert world.clock.now() - begun < timedelta(hours=2), "P7: a leak was open for two hours"


def _aborted(world: World, dice: Random) -> None:
    assert isinstance(world, KeyWorld), world
    insisting(world, world.rotate)
    stop = partial(world.rotations.abort, CHURN, "stop", "ben", "wrong day")
    world.at(dice.uniform(0, 25), lambda: insisting(world, stop))
    world.pass_time(minutes=60)
    if dice.random() < 0.5 and not world.plans:  # again, while clients have this key or that
        rotated(world, 2)
    for _ in range(30):  # whatever was under way lands, and every client reads twice
        world.clock.advance(timedelta(minutes=1))
        world.keys.settle()
        world.serve()


def _stopped_too_early(world: World, dice: Random) -> None:
    """A stop that came before there was anything to stop comes again, and stops nothing."""
    assert isinstance(world, KeyWorld), world
    no = partial(world.rotations.abort, CHURN, "early", "ben", "wrong day")
    insisting(world, no)
    for _ in range(3):
        world.at(dice.uniform(0, 25), lambda: insisting(world, no))
    rotated(world, 1)


def _aborted_when_sent(world: World, dice: Random) -> None:
    """What an aborted rotation has sent lands in the next one, which begins at once.

    What the next one sends lands late: it is long published then, if the other was taken for it.
    """
    assert isinstance(world, KeyWorld), world
    key = dice.choice([RotationPhase.RENEWING_SPARE, RotationPhase.RENEWING_OLD])
    sent: list[str] = []

    def stop() -> None:
        if world.rotation.id in sent and not world.rotation.over:
            no = partial(world.rotations.abort, CHURN, "stop", "ben", "wrong day")
            insisting(world, no)

    def is_sent(_before: Head, after: Head, _entry: HistoryEntry | None) -> None:
        rotation = after.rotation
        if rotation and rotation.renewal and rotation.phase is key and not sent:
            sent.append(rotation.id)
            world.at(dice.uniform(0, 0.2), stop)

    world.saved.append(is_sent)
    before = [10.0] if key is RotationPhase.RENEWING_OLD else []
    world.keys.landings = [*before, dice.uniform(15, 40), dice.uniform(110, 118)]
    insisting(world, world.rotate)
    world.pass_time(minutes=120)
    assert world.rotation.over, f"P7: it is {world.key_story[-1]}"
    rotated(world, 2)
    rotated(world, 3)


def _under_way_twice(world: World, dice: Random) -> None:
    """One lands later than the policy says: by then it was sent again, and that lands as well."""
    assert isinstance(world, KeyWorld), world
    twice = [dice.uniform(122, 135), dice.uniform(90, 105)]
    first = dice.random() < 0.5
    world.keys.landings = [*([] if first else [10.0]), *twice]
    rotated(world, 1)
    rotated(world, 2)


def _changed_unpublished(world: World, _dice: Random) -> None:
    assert isinstance(world, KeyWorld), world
    world.somebody_regenerates(RotationPhase.PUBLISHING)
    rotated(world, 1)
    assert world.killed, "nobody regenerated anything"


def _changed_published(world: World, dice: Random) -> None:
    assert isinstance(world, KeyWorld), world
    phases = (RotationPhase.OVERLAPPING, RotationPhase.CONFIRMING, RotationPhase.RENEWING_OLD)
    world.somebody_regenerates(dice.choice(phases))
    rotated(world, 1)
    assert world.killed, "nobody regenerated anything"


def _beside_a_rollout(world: World, dice: Random) -> None:
    assert isinstance(world, KeyWorld), world
    insisting(world, world.rotate)
    world.at(dice.uniform(0, 20), lambda: insisting(world, world.start))
    rotated(world, 1)
    world.run(minutes=600)
    assert world.phase is Phase.PROMOTED, f"it is {world.phase}: {world.told[-1]}"


def _nobody_is_refused(world: World) -> None:
    assert isinstance(world, KeyWorld), world
    assert not world.refused, f"P7: refused at {world.refused[0]}, {len(world.refused)} in all"
    assert world.keys.opens(world.published), "P7: the published key opens nothing"


def _story(happens: Callable[[World, Random], None]) -> Story:
    return Story(happens, _nobody_is_refused, starts=False, minutes=0, world=_key_world)


KEY_STORIES: Mapping[str, Story] = {
    "keys: three rotations": _story(_thrice),
    "keys: a leak": _story(_leaked),
    "keys: aborted": _story(_aborted),
    "keys: stopped too early": _story(_stopped_too_early),
    "keys: aborted when sent": _story(_aborted_when_sent),
    "keys: under way twice": _story(_under_way_twice),
    "keys: changed, not published": _story(_changed_unpublished),
    "keys: changed, published": _story(_changed_published),
    "keys: beside a rollout": _story(_beside_a_rollout),
}
