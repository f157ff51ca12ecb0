"""Every cell of the machine's table that a person, an alert or Azure can bring about, on purpose.

The event comes the moment its phase is entered; whatever it does, every promise must hold, and an
abort must still give the traffic back.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from random import Random

from rollout.core.endpoint import Provisioning
from rollout.core.events import (
    AbortRequested,
    AlertResolved,
    ApprovalGiven,
    ApprovalRefused,
    Command,
    PauseRequested,
    PromoteRequested,
    ReleaseRequested,
    ResumeRequested,
    SkipRequested,
)
from rollout.core.head import Head, HistoryEntry
from rollout.core.machine.table import TRANSITIONS
from rollout.core.machine.transition import Transition
from rollout.core.rollout import Phase
from rollout.core.traffic import Traffic
from tests.fakes import NOON
from tests.simulation.azure import Deployment
from tests.simulation.stories import (
    APPROVED,
    BLUE,
    BY_HAND,
    MINUTE,
    Story,
    insisting,
    retires,
    told,
)
from tests.simulation.world import CHURN, World

Deed = Callable[[World], object]


def _asks(kind: type[Command]) -> Deed:
    return lambda world: told(world, kind(id=f"{kind.__name__} in time", who="lea"))


def _as_before(world: World) -> None:
    """What was let go has a map of two; nothing begins on it."""
    if world.phase is Phase.RELEASED and not world.azure.pending:
        world.azure.set_by_hand(BLUE)


def _newer(world: World) -> None:
    _as_before(world)
    world.azure.deployments.setdefault("red", Deployment(error_rate=lambda _: 0.0))
    insisting(world, lambda: world.start("red"))


def _retries(world: World) -> None:
    """Whoever starts again has mended first what was wrong."""
    green = world.azure.deployments["green"]
    green.state, green.ready_at = Provisioning.SUCCEEDED, None
    _as_before(world)
    insisting(world, lambda: world.engine.retry(CHURN, "once more", "anna", "again"))


def _undoes(world: World) -> None:
    insisting(world, lambda: world.engine.undo(CHURN, "undo", "anna", "after all"))


def _vanishes(world: World) -> None:
    world.azure.gone = True


def _fires(world: World) -> None:
    told(world, world.alert(id="in time"))


def _resolves(world: World) -> None:
    known = world.alert(id="first", fired_at=world.clock.now())
    told(world, known)
    about = {**known.model_dump(exclude={"type"}), "key": "first", "id": "it is over"}
    told(world, AlertResolved.model_validate(about))


def _refuses(world: World) -> None:
    """From the next write on, be it the mark that was late, or a smoke file that cannot be read."""
    now = world.clock.now()
    world.azure.marking, world.policies.smoke = "refused", b"\xff"
    world.azure.faults.refused = (now, now + 5 * MINUTE)


def _by_hand(world: World) -> None:
    if not world.azure.pending:
        world.azure.set_by_hand(BY_HAND)


def _goes_or_lands(world: World) -> None:
    """The canary is gone; after a rollback a map with it lands that was accepted long before."""
    if world.phase is Phase.ROLLED_BACK:
        world.azure.late.append((world.clock.now(), Traffic(live={"blue": 95, "green": 5})))
    else:
        world.azure.deployments.pop("green", None)


def _lets_go(world: World, time: int = 1) -> None:
    """Whoever is told that the way back is still tried asks again, a little later."""
    told(world, ReleaseRequested(id=f"let go {time}", who="anna"))
    if world.phase is Phase.ROLLING_BACK:
        world.at(3, partial(_lets_go, world, time + 1))


DEEDS: Mapping[str, Deed] = {
    "Looked": _goes_or_lands,
    "StartRequested": _newer,
    "RetryRequested": _retries,
    "EndpointGone": _vanishes,
    "ActionRefused": _refuses,
    "ForeignChangeFound": _by_hand,
    "AlertFired": _fires,
    "AlertResolved": _resolves,
    "PauseRequested": _asks(PauseRequested),
    "ResumeRequested": _asks(ResumeRequested),
    "SkipRequested": _asks(SkipRequested),
    "PromoteRequested": _asks(PromoteRequested),
    "AbortRequested": _asks(AbortRequested),
    "ApprovalGiven": _asks(ApprovalGiven),
    "ApprovalRefused": _asks(ApprovalRefused),
    "UndoRequested": _undoes,
    "ReleaseRequested": _lets_go,
}


_AT_ONCE = frozenset({"ActionRefused", "ForeignChangeFound"})
"""What comes between the save and what is owed."""


# -- how each phase is come to -----------------------------------------------------------------


def _prepared(world: World) -> None:
    world.azure.deployments["green"].ready_at = NOON + 4 * MINUTE


def _never_ready(world: World) -> None:
    _prepared(world)
    world.at(2, lambda: setattr(world.azure.deployments["green"], "state", Provisioning.FAILED))
    world.at(2, lambda: setattr(world.azure.deployments["green"], "ready_at", None))


def _smoked_slowly(world: World) -> None:
    """The canary answers late, so its smoke requests take a while."""
    world.azure.answers_at = NOON + 10 * MINUTE


def _held(world: World) -> None:
    world.at(10, lambda: told(world, PauseRequested(id="pause", who="ben")))


def _asked(world: World) -> None:
    world.policies.text = APPROVED


def _aborted(world: World) -> None:
    stop = AbortRequested(id="stop", who="anna", why="complaints")
    world.at(9, lambda: told(world, stop))


def _stuck(world: World) -> None:
    _aborted(world)
    world.azure.faults.refused = (NOON + 8.9 * MINUTE, NOON + timedelta(days=2))


def _released(world: World) -> None:
    _stuck(world)
    world.at(12, lambda: _lets_go(world))


WAYS: Mapping[Phase, Deed] = {
    Phase.IDLE: lambda _world: None,
    Phase.PREPARING: _prepared,
    Phase.SMOKING: _smoked_slowly,
    Phase.SHIFTING: lambda _world: None,
    Phase.MEASURING: lambda _world: None,
    Phase.HOLDING: _held,
    Phase.APPROVING: _asked,
    Phase.RETIRING: lambda world: retires("{baseline: delete}")(world, Random(0)),
    Phase.ROLLING_BACK: _aborted,
    Phase.PROMOTED: lambda _world: None,
    Phase.ROLLED_BACK: _aborted,
    Phase.RELEASED: _released,
    Phase.REFUSED: _never_ready,
}

WATCHED = 12
"""Minutes after a rollback until nothing waits for it to be watched any more."""

_LOOKS = (Phase.SMOKING, Phase.ROLLED_BACK)

CELLS = tuple(
    f"cell: {phase} {event.__name__}"
    for phase, row in TRANSITIONS.items()
    for event, answer in row.items()
    if isinstance(answer, Transition) and event.__name__ in DEEDS
    if event.__name__ != "Looked" or phase in _LOOKS  # the others are in every storm
)


def cell_story(name: str) -> Story:
    """The story that brings about one cell, by its name."""
    phase, event = name.removeprefix("cell: ").split()
    return Story(
        partial(_happens, Phase(phase), event),
        _can_be_ended,
        starts=phase != Phase.IDLE,
        minutes=70,
    )


def _happens(phase: Phase, event: str, world: World, dice: Random) -> None:
    WAYS[phase](world)
    if event == "StartRequested" or dice.random() < 0.7:
        world.policies.text = world.policies.text.replace("guards:", "on_newer: supersede\nguards:")
    if event == "ReleaseRequested":
        _stuck(world)
    done: list[str] = []
    later = {"ReleaseRequested": 3, "RetryRequested": WATCHED}.get(event, 0)
    if event == "ActionRefused" and phase not in {Phase.PREPARING, Phase.ROLLING_BACK}:
        world.azure.marking = "late"

    def now_is_the_moment(_before: Head, after: Head, _entry: HistoryEntry | None) -> None:
        if after.endpoint == CHURN and after.phase is phase and not done:
            done.append(event)
            if event in _AT_ONCE:
                DEEDS[event](world)
                return
            world.at(later, lambda: DEEDS[event](world))

    world.saved.append(now_is_the_moment)
    if phase is Phase.IDLE:
        world.at(0, lambda: DEEDS[event](world))
        overlooked = ("too many errors",)
        world.at(5, lambda: insisting(world, partial(world.start, despite_alerts=overlooked)))


def _can_be_ended(world: World) -> None:
    """Whoever is still held is aborted, and gets the recorded map back."""
    world.azure.faults.refused, world.azure.marking = None, "taken"
    for number in range(4):  # what waited for it may begin then
        if not world.head.live or world.azure.gone:
            break
        stop = AbortRequested(id=f"the end {number}", who="anna", why="it is over")
        told(world, stop)
        world.run(minutes=40)
    rollout = world.rollout
    if world.azure.gone or set(rollout.recorded.live) - set(world.azure.deployments):
        return  # there is nothing, or nobody, to give the traffic back to
    assert rollout.over, f"P2: still {rollout.phase} after an abort: {world.told[-1]}"
    if rollout.phase is Phase.ROLLED_BACK:
        assert world.azure.traffic == rollout.recorded, f"P2: it has {world.azure.traffic}"
    assert not world.head.owed, f"P3: still owed: {world.head.owed}"
