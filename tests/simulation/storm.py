"""One seed is one storm: a story, the faults that strike, and what broke in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from tests.simulation.baseline_stories import BASELINE_STORIES
from tests.simulation.cells import CELLS, cell_story
from tests.simulation.census import Census
from tests.simulation.hook_stories import HOOK_STORIES
from tests.simulation.key_stories import ALSO, KEY_FAULTS, KEY_STORIES, key_fault
from tests.simulation.oaths import Oaths
from tests.simulation.promises import Promises
from tests.simulation.smoke_stories import SMOKE_STORIES
from tests.simulation.store_stories import STORE_STORIES
from tests.simulation.stories import STORIES, Story, insisting
from tests.simulation.world import CHURN, World


def _azure(name: str, value: float) -> Callable[[World], None]:
    return lambda world: setattr(world.azure.faults, name, value)


def _roads(name: str, value: float) -> Callable[[World], None]:
    return lambda world: setattr(world.roads, name, value)


def _world(name: str, value: float) -> Callable[[World], None]:
    return lambda world: setattr(world, name, value)


def _deaths(name: str, value: float) -> Callable[[World], None]:
    return lambda world: setattr(world.deaths, name, value)


FAULTS: Mapping[str, Callable[[World], None]] = {
    "busy": _azure("busy", 0.2),
    "throttled": _azure("throttled", 0.1),
    "lost_answer": _azure("lost_answer", 0.1),
    "never_done": _azure("never_done", 0.05),
    "operation_failed": _azure("operation_failed", 0.05),
    "stale_seconds": _azure("stale_seconds", 15),
    "metrics_down": _azure("metrics_down", 0.2),
    "metrics_late": _azure("metrics_late", 0.2),
    "metrics_partial": _azure("metrics_partial", 0.2),
    "metrics_missing": _azure("metrics_missing", 0.05),
    "lost_messages": _world("lost_messages", 0.05),
    "doubled_messages": _world("doubled_messages", 0.1),
    "delayed_messages": _roads("delayed_messages", 0.1),
    "queue_down": _roads("queue_down", 0.05),
    "store_down": _roads("store_down", 0.01),
    "store_deaf": _roads("store_deaf", 0.02),
    "store_refuses": _roads("store_refuses", 0.01),
    "skew_seconds": _roads("skew_seconds", 20),
    "workers": _roads("workers", 3),
    "deaths": _deaths("rate", 0.003),
    "line_deaths": _deaths("line_rate", 0.0005),
    **{name: key_fault(name) for name in KEY_FAULTS},
}
_RARE = frozenset({"line_deaths"})
"""What is slow to watch for strikes in fewer storms."""

PLOTS: Mapping[str, Story] = {
    **STORIES,
    **BASELINE_STORIES,
    **STORE_STORIES,
    **SMOKE_STORIES,
    **HOOK_STORIES,
    **KEY_STORIES,
}
"""What is not a cell of the table."""

COUNTED = frozenset({*FAULTS, "silent", "refused", "late_landing"})


@dataclass(frozen=True)
class Storm:
    """A seed's story and faults; the same again at every run."""

    seed: int
    story: str
    faults: tuple[str, ...]

    @property
    def plot(self) -> Story:
        return PLOTS[self.story] if self.story in PLOTS else cell_story(self.story)


@dataclass(frozen=True)
class Ended:
    """What became of a storm: nothing broken, or the promise and the history up to there."""

    storm: Storm
    census: Census
    broken: str | None = None
    history: tuple[str, ...] = ()


def storm_of(seed: int) -> Storm:
    """Every other seed's story is the next of all; in every other round none has a fault."""
    dice = Random(f"storm {seed}")
    names, free = [*PLOTS, *CELLS], [*PLOTS]
    story = names[seed // 2 % len(names)] if seed % 2 else dice.choice(free)
    if seed % 2 and seed // 2 // len(names) % 2 == 0:
        return Storm(seed, story, ())
    rate = dice.choice((0.3, 0.6, 1.0))
    known = [*KEY_FAULTS, *ALSO] if story in KEY_STORIES else [*(FAULTS.keys() - KEY_FAULTS)]
    faults = [
        name for name in sorted(known) if dice.random() < (rate / 20 if name in _RARE else rate)
    ]
    storm = Storm(seed, story, ())
    return replace(storm, faults=tuple(one for one in faults if one not in storm.plot.spared))


def weather(storm: Storm) -> Ended:
    """Run it; an AssertionError of any check ends it and is what broke."""
    world = storm.plot.world(storm.seed)
    world.census.stories[storm.story.split(":")[0]] += 1
    for deployment in world.azure.deployments.values():
        deployment.error_rate = lambda _: 0.0  # so no verdict is left to chance
    for name in storm.faults:
        FAULTS[name](world)
    broken = None
    try:
        _told(world, storm)
    except AssertionError as error:
        broken = str(error).split("\n")[0] or "an assertion of the code itself"
    except Exception as error:  # noqa: BLE001 - whatever a worker raises is a finding
        broken = f"{type(error).__name__}: {error}"
    struck = world.census.faults
    struck.update(world.chances.struck)
    struck["deaths"] += sum(not one.startswith("line") for one in world.deaths.died)
    struck["line_deaths"] += sum(one.startswith("line") for one in world.deaths.died)
    return Ended(storm, world.census, broken, tuple(_lines(world)) if broken else ())


def _told(world: World, storm: Storm) -> None:
    plot = storm.plot
    if storm.story not in KEY_STORIES:
        Promises(world)
        Oaths(world)
    plot.happens(world, Random(f"story {storm.seed}"))
    if plot.starts:
        insisting(world, world.start)
    if plot.minutes:
        world.run(plot.minutes)
    plot.ends(world)


def _lines(world: World) -> list[str]:
    return [
        f"{entry.at:%H:%M:%S} {entry.event} ({entry.who}): {entry.before} to {entry.after}"
        f" [{entry.stage}] {entry.why[:160]}"
        for entry in world.store.history(CHURN.key)
    ]


def shrunk(ended: Ended) -> Ended:
    """The same break with as few faults as will do."""
    for name in ended.storm.faults:
        fewer = tuple(one for one in ended.storm.faults if one != name)
        tried = weather(replace(ended.storm, faults=fewer))
        if tried.broken:
            ended = tried
    return ended
