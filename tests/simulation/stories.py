"""What people, models and Azure do in a storm, and how it has to end whatever goes wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random

from rollout.core.events import (
    AbortRequested,
    AlertResolved,
    ApprovalGiven,
    Event,
    PauseRequested,
    ResumeRequested,
)
from rollout.core.head import HEARD_MAX, Head, HistoryEntry
from rollout.core.policy import Bake, Canary
from rollout.core.rollout import HoldCause, Order, Phase
from rollout.core.traffic import Traffic
from rollout.errors import Refused, RolloutError, Unknown
from tests.fakes import NOON
from tests.simulation.azure import Deployment
from tests.simulation.workers import Died
from tests.simulation.world import CHURN, POLICY, StoreRefuses, World

MINUTE = timedelta(minutes=1)
BLUE, GREEN = Traffic.all_to("blue"), Traffic.all_to("green")
BY_HAND = Traffic(live={"blue": 60, "green": 40})


def insisting(world: World, do: Callable[[], object]) -> None:
    """A caller whose request dies, or is told to come later, asks again with the same id."""
    while True:
        try:
            do()
        except Died:
            world.engine = world.new_worker()
        except StoreRefuses:  # somebody mends the role
            world.clock.advance(timedelta(seconds=1))
        except (Refused, Unknown):  # an answer, though not the one that was hoped for
            return
        except RolloutError:
            world.clock.advance(timedelta(seconds=1))
        else:
            return


def told(world: World, event: Event) -> None:
    insisting(world, lambda: world.tell(event))


# -- what happens ------------------------------------------------------------------------------


def nothing(_world: World, _dice: Random) -> None: ...


def turns_bad(world: World, dice: Random) -> None:
    since = NOON + timedelta(minutes=dice.randint(0, 30))
    world.azure.deployments["green"].error_rate = lambda at: 0.08 if at >= since else 0.0


def abort(world: World, dice: Random) -> None:
    stop = AbortRequested(id="stop", who="anna", why="complaints")
    world.at(dice.uniform(0, 25), lambda: told(world, stop))


def abort_before_the_mark(world: World, dice: Random) -> None:
    """An abort while the mark at the endpoint is still owed: nobody makes it afterwards."""
    world.azure.marking = "late"
    stop = AbortRequested(id="stop", who="anna", why="complaints")
    world.at(dice.uniform(1, 4), lambda: told(world, stop))


def alert(world: World, dice: Random) -> None:
    def fire() -> None:
        told(world, world.alert())

    world.at(dice.uniform(1, 25), fire)


def by_hand(world: World, dice: Random) -> None:
    _by_hand_within(world, dice, 45)


def by_hand_at_the_end(world: World, dice: Random) -> None:
    """In the bake, after which no write would find it."""
    world.azure.faults.stale_seconds = 0
    _while_measuring(world, Bake, lambda: world.at(dice.uniform(1, 5), lambda: _sets(world)))


def _while_measuring(world: World, stage: type[Bake | Canary], do: Callable[[], object]) -> None:
    """Once, when a stage of that kind begins to be measured."""
    done: list[object] = []

    def now_is_the_moment(_before: Head, after: Head, _entry: HistoryEntry | None) -> None:
        found = after.rollout
        if found and found.phase is Phase.MEASURING and isinstance(found.here, stage) and not done:
            done.append(found.here)
            do()

    world.saved.append(now_is_the_moment)


def _by_hand_within(world: World, dice: Random, minutes: float) -> None:
    world.azure.faults.stale_seconds = 0  # what no GET shows can be written over
    world.at(dice.uniform(1, minutes), lambda: _sets(world))


def _sets(world: World) -> None:
    if world.head.live:
        insisting(world, lambda: world.azure.set_by_hand(BY_HAND))


def by_hand_then_abort(world: World, dice: Random) -> None:
    _by_hand_within(world, dice, 20)
    stop = AbortRequested(id="stop", who="anna", why="who was that?")
    world.at(30, lambda: told(world, stop))


def falls_silent(world: World, dice: Random) -> None:
    since = NOON + timedelta(minutes=dice.randint(2, 25))
    world.azure.faults.silent = (since, NOON + timedelta(days=2))


def canary_vanishes(world: World, dice: Random) -> None:
    world.at(dice.uniform(1, 20), lambda: world.azure.deployments.pop("green"))


def canary_changes(world: World, dice: Random) -> None:
    def change() -> None:
        world.azure.deployments["green"].fingerprint = "another model"

    world.at(dice.uniform(8, 20), change)


def pauses(world: World, dice: Random) -> None:
    _paused_at(world, dice.uniform(1, 25))


def abort_while_a_map_is_asked_for(world: World, dice: Random) -> None:
    """It comes when the step has been read as owed, and is not sent yet."""
    stop = AbortRequested(id="stop", who="anna", why="complaints")
    place, ups = dice.choice((1, 1, 2, 3)), list[Traffic]()

    def asked(traffic: Traffic) -> None:
        ups.extend([traffic] if traffic.reaches("green") else ())
        if len(ups) == place:
            told(world, stop)

    world.azure.asked.append(asked)


def pauses_while_measuring(world: World, dice: Random) -> None:
    """The stage's time stands still, however long the pause is."""
    _while_measuring(world, Canary, lambda: _paused_at(world, dice.uniform(0.5, 3)))


def _paused_at(world: World, minutes: float) -> None:
    world.at(minutes, lambda: told(world, PauseRequested(id="pause", who="ben")))
    world.at(minutes + 12, lambda: told(world, ResumeRequested(id="resume", who="ben")))


def refused_for_a_while(world: World, dice: Random) -> None:
    """An abort just when the right to write is gone: it comes back, and so does the traffic."""
    at = dice.uniform(6, 25)
    begins = NOON + timedelta(minutes=at - 0.01)
    world.azure.faults.refused = (begins, begins + 7 * MINUTE)
    stop = AbortRequested(id="stop", who="anna", why="complaints")
    world.at(at, lambda: told(world, stop))


def lands_late(world: World, dice: Random) -> None:
    """A write that Azure lost comes after the abort; it is followed at once."""
    world.azure.faults.late_landing = 0.5
    abort(world, dice)


def again_after_an_abort(world: World, dice: Random) -> None:
    """Everything that was heard is heard once more while the second rollout is on its way."""
    first = dice.uniform(2, 12)
    stop = AbortRequested(id="stop", who="anna", why="complaints")
    fired = world.alert(fired_at=NOON + first * MINUTE)
    world.at(first, lambda: told(world, stop))
    world.at(first + 5, lambda: told(world, fired))
    world.at(60, lambda: insisting(world, partial(_begins_again, world)))
    for minutes in (66, 72, 80):
        world.at(minutes, lambda: told(world, stop))
        world.at(minutes + 1, lambda: told(world, fired))


def _begins_again(world: World) -> None:
    resolved = world.alert(id="a1 over").model_dump(exclude={"type"})
    resolved["key"] = "a1"
    told(world, AlertResolved.model_validate(resolved))
    world.engine.retry(world.rollout.endpoint, "again", "anna", "once more")


def approves(world: World, dice: Random) -> None:
    world.policies.text = APPROVED
    for number in range(1, 30):
        yes = ApprovalGiven(id=f"yes {number}", who="lea")
        world.at(12 + number * dice.uniform(1, 2), lambda yes=yes: told(world, yes))  # type: ignore[misc]


def alert_again(world: World, dice: Random) -> None:
    """It fired and was resolved before the start; then it fires once more, and means it."""
    before = world.alert(id="old", key="k1", fired_at=NOON - 30 * MINUTE)
    told(world, before)
    over = {**before.model_dump(exclude={"type"}), "id": "old over"}
    told(world, AlertResolved.model_validate(over))

    def fire() -> None:
        told(world, world.alert(id="new", key="k1"))

    world.at(dice.uniform(1, 25), fire)


def nobody_approves(world: World, _dice: Random) -> None:
    world.policies.text = APPROVED


def retires(fate: str) -> Callable[[World, Random], None]:
    def prepare(world: World, _dice: Random) -> None:
        world.policies.text = f"{POLICY.split('guards:')[0]}  - retire: {fate}\n" + GUARDS

    return prepare


def fails_late(world: World, _dice: Random) -> None:
    """Every third minute many requests fail, and of those minutes Azure tells late."""

    def third(at: datetime) -> bool:
        return at.minute % 3 == 0

    world.azure.tardy = third
    world.azure.deployments["green"].error_rate = lambda at: 0.3 if third(at) else 0.0


def wants_traffic(then: str) -> Callable[[World, Random], None]:
    def prepare(world: World, _dice: Random) -> None:
        world.policies.text = THIN.format(then=then, minutes=90)
        world.azure.requests_per_minute = 40

    return prepare


def announced_again(world: World, dice: Random) -> None:
    """More than are remembered, of green and red in turn, and each is delivered again and again.

    What had a yes is decided once, as an oath tells of all; and what had a no gets no yes.
    """
    refused: set[str] = set()
    world.azure.deployments["red"] = Deployment(error_rate=lambda _: 0.0)

    def deliver(number: int, happened_at: datetime) -> None:
        name, canary = f"news {number}", ("green", "red")[number % 2]
        asked = Order(endpoint=CHURN, deployment=canary, who="ci", happened_at=happened_at)
        decision = world.engine.start(asked, name)
        assert not (decision.taken and name in refused), f"P3: {name} had a no, and now a yes"
        if not decision.taken:
            refused.add(name)

    for number in range(HEARD_MAX + 20):
        minutes = dice.uniform(0, 200)
        event = partial(deliver, number, world.clock.now() + minutes * MINUTE)
        for late in (0.0, dice.uniform(0, 5), dice.uniform(0, 250)):
            world.at(minutes + late, partial(insisting, world, event))


GUARDS = "guards:" + POLICY.split("guards:")[1]
APPROVED = POLICY.replace(
    "  - canary: {weight: 25",
    "  - approval: {by: [lea], deadline_minutes: 120, then: roll_back}\n  - canary: {weight: 25",
)
THIN = """
schema: 1
match: {{endpoint: "churn*"}}
stages:
  - canary: {{weight: 5, shortest_minutes: 5, longest_minutes: 20}}
  - canary: {{weight: 40, shortest_minutes: 5, longest_minutes: 90}}
guards:
  - {{metric: error_rate, worse_by_ratio: 1.25, worse_by_points: 0.0005, severity: fail}}
on_too_little: {{then: {then}, minutes: {minutes}, points: 15, percent: 40}}
"""


# -- how it ends -------------------------------------------------------------------------------


def promoted(world: World) -> None:
    _over(world, Phase.PROMOTED, GREEN)
    assert world.azure.owner == "test", "P3: the mark was owed and never made"


def has_heard(world: World) -> None:
    """Rollout after rollout; how the last one ends is not of this story."""
    assert len(world.head.heard) == HEARD_MAX, "P3: what was announced is not remembered"
    assert world.head.generation > 2, "nothing was rolled out"


def rolled_back(world: World) -> None:
    _over(world, Phase.ROLLED_BACK, world.rollout.recorded)


def taken_back(world: World) -> None:
    """Rolled back; or refused, where the canary was gone before anything was sent for it."""
    if world.phase is Phase.REFUSED:
        assert not world.azure.writes, f"P2: sent, and then refused: {world.azure.writes}"
        return
    rolled_back(world)
    back = world.rollout.rollback
    why = back.why if back else "nothing"
    if not +world.chances.struck:  # otherwise it may have had another reason before
        assert why.endswith("is gone from the endpoint"), f"P6: nobody noticed: {why}"


def silent_is_back(world: World) -> None:
    silent = world.azure.faults.silent
    assert silent is not None
    rolled_back(world)
    back = world.rollout.rollback
    assert back is not None, "P4: not rolled back"
    took = back.decided_at - max(silent[0], world.rollout.started_at)
    assert took < 75 * MINUTE, f"P4: nothing was heard for {took}, the policy says 15 minutes"
    late = [share for share in world.rollout.shares if share.since > silent[0] + 20 * MINUTE]
    assert not late, f"P4: {late} without any data"


def held_for_a_person(world: World) -> None:
    if BY_HAND not in [one for _, one in world.azure.maps]:
        return promoted(world)
    held = world.rollout.hold
    assert held is not None, f"P6: {world.phase} after {BY_HAND} was set by hand"
    assert held.cause is HoldCause.FOREIGN_CHANGE, held
    assert str(BY_HAND) in held.why, held.why
    assert world.azure.traffic == BY_HAND, "P6: what was set by hand was written over"
    return None


def begun_again(world: World) -> None:
    assert any("changed under its name" in why for why in world.told), "P6: nobody noticed"
    promoted(world)


def retired(world: World) -> None:
    promoted(world)
    blue = world.azure.deployments.get("blue")
    assert blue is None or blue.instances == 1, "P3: the old baseline is as it was"


def _over(world: World, phase: Phase, traffic: Traffic) -> None:
    assert world.phase is phase, f"it is {world.phase}, not {phase}: {world.told[-1]}"
    assert world.azure.traffic == traffic, f"P2: the endpoint has {world.azure.traffic}"
    assert not world.head.owed, f"P3: still owed: {world.head.owed}"


@dataclass(frozen=True)
class Story:
    """One plot: what happens, how it must end, and which faults would forbid that end."""

    happens: Callable[[World, Random], None]
    ends: Callable[[World], None]
    spared: frozenset[str] = frozenset()
    starts: bool = True
    minutes: int = 600
    world: Callable[[int], World] = World


STORIES: Mapping[str, Story] = {
    "good": Story(nothing, promoted),
    "bad": Story(turns_bad, rolled_back),
    "fails late": Story(fails_late, rolled_back),
    "abort": Story(abort, rolled_back),
    "abort before the mark": Story(abort_before_the_mark, rolled_back),
    "abort, just then": Story(abort_while_a_map_is_asked_for, rolled_back),
    "alert": Story(alert, rolled_back),
    "alert again": Story(alert_again, rolled_back),
    "by hand": Story(by_hand, held_for_a_person, frozenset({"stale_seconds"}), minutes=120),
    "by hand, at the end": Story(
        by_hand_at_the_end, held_for_a_person, frozenset({"stale_seconds"}), minutes=120
    ),
    "by hand, abort": Story(by_hand_then_abort, rolled_back, frozenset({"stale_seconds"})),
    "silence": Story(falls_silent, silent_is_back),
    "canary vanishes": Story(canary_vanishes, taken_back),
    "canary changes": Story(canary_changes, begun_again),
    "paused": Story(pauses, promoted),
    "paused while measuring": Story(pauses_while_measuring, promoted),
    "refused": Story(refused_for_a_while, rolled_back),
    "lands late": Story(lands_late, rolled_back),
    "again": Story(again_after_an_abort, promoted),
    "announced": Story(announced_again, has_heard, starts=False, minutes=300),
    "approved": Story(approves, promoted),
    "not approved": Story(nobody_approves, rolled_back),
    "deleted": Story(retires("{baseline: delete}"), retired),
    "scaled": Story(retires("{scale_to: 1}"), retired),
    "longer": Story(wants_traffic("longer"), promoted),
    "notch": Story(wants_traffic("notch"), promoted),
    "copies": Story(wants_traffic("mirror"), promoted),
}
