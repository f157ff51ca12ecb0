"""The old baseline while it is compared with, and while it is retired: changed, and wanted back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random

from rollout.core.events import AbortRequested, ApprovalGiven, PauseRequested, ResumeRequested
from rollout.core.head import Head, HistoryEntry
from rollout.core.policy import Canary
from rollout.core.rollout import HoldCause, Phase, Rollout
from tests.fakes import NOON
from tests.simulation.oaths import OVERDUE_MAX
from tests.simulation.stories import APPROVED, MINUTE, Story, promoted, retires, rolled_back, told
from tests.simulation.world import CHURN, POLICY, World

A_LOOK = timedelta(minutes=2)
"""A look that was taken before the change may be saved so much later."""

FROZEN = f'{POLICY}\nfreeze: {{windows: [{{weekly: "mon 12:05 - mon 13:05"}}]}}\n'


@dataclass
class Changed:
    """The baseline is another under its name: until that is noticed no look leads up."""

    world: World
    at: datetime | None = None
    noticed: bool = False
    held: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world.saved.append(self.saved)
        self.world.checks.append(self.is_noticed)

    def now(self) -> None:
        """Whoever changes it waits for the rollout to be there."""
        if self.world.head.rollout is None:
            self.world.at(1, self.now)
            return
        self.world.azure.deployments["blue"].fingerprint = "another model"
        self.at = self.world.clock.now()

    def within(self, least: float, most: float, dice: Random) -> None:
        self.world.at(dice.uniform(least, most), self.now)

    def saved(self, before: Head, after: Head, entry: HistoryEntry | None) -> None:
        old, new = before.rollout, after.rollout
        if new is None or after.endpoint != CHURN:
            return
        holds = _cause(new) is HoldCause.BASELINE_CHANGED
        if holds and _cause(old) is not HoldCause.BASELINE_CHANGED:
            self._is_held(new)
        if old and entry and entry.event == "Looked" and self._must_be_known():
            up = new.stage > old.stage or (new.phase, old.phase) == (Phase.SHIFTING, Phase.HOLDING)
            assert self.noticed or not up, f"P6: blue was changed, and a look led to {new.here}"

    def _is_held(self, rollout: Rollout) -> None:
        """Whoever is asked looks at it, and says: go on."""
        at = self.at
        assert at is not None, "P6: blue was not changed"
        since = rollout.evidence_since
        assert since is None or since > at - MINUTE, f"P4: what was seen since {since} still counts"
        self.noticed = True
        resume = ResumeRequested(id=f"blue is fine {len(self.held)}", who="anna")
        self.held.append(resume.id)
        self.world.at(3, lambda: told(self.world, resume))

    def is_noticed(self) -> None:
        """At the next look, as late as that may be."""
        late = self._must_be_known(OVERDUE_MAX + A_LOOK)
        assert self.noticed or not late, f"P6: nobody noticed since {self.at}"

    def _must_be_known(self, after: timedelta = A_LOOK) -> bool:
        since = self.at and self.world.roads.taken_since(self.at)
        return since is not None and self.world.clock.now() - since > after


def _cause(rollout: Rollout | None) -> HoldCause | None:
    return rollout.hold.cause if rollout and rollout.hold else None


def _once(world: World, phase: Phase, do: Callable[[], object]) -> None:
    """When that phase is entered for the first time; of measuring, that of live requests."""
    done: list[Phase] = []

    def now_is_the_moment(_before: Head, after: Head, _entry: HistoryEntry | None) -> None:
        found = after.rollout
        here = found and (phase is not Phase.MEASURING or isinstance(found.here, Canary))
        if after.phase is phase and here and not done:
            done.append(phase)
            do()

    world.saved.append(now_is_the_moment)


# -- what happens ------------------------------------------------------------------------------


def _changes(world: World, dice: Random) -> None:
    Changed(world).within(0.1, 25, dice)


def _changes_while_prepared(world: World, dice: Random) -> None:
    world.azure.deployments["green"].ready_at = NOON + 8 * MINUTE
    Changed(world).within(0.5, 7, dice)


def _changes_on_the_way(world: World, dice: Random) -> None:
    """While a map that was asked for is not there yet."""
    blue = Changed(world)
    _once(world, Phase.SHIFTING, lambda: blue.within(0, 0.3, dice))


def _changes_while_held(world: World, dice: Random) -> None:
    blue, pause = Changed(world), PauseRequested(id="pause", who="ben")
    world.at(dice.uniform(6, 20), lambda: told(world, pause))
    world.at(40, lambda: told(world, ResumeRequested(id="resume", who="ben")))
    blue.within(21, 36, dice)


def _changes_in_a_freeze(world: World, dice: Random) -> None:
    """The canary is ready only then: it holds, with its smoke requests answered."""
    world.azure.deployments["green"].ready_at = NOON + 8 * MINUTE
    world.policies.text = FROZEN
    Changed(world).within(10, 60, dice)


def _changes_while_asked(world: World, dice: Random) -> None:
    """The people who are asked say yes a while later."""
    world.policies.text = APPROVED
    blue = Changed(world)
    _once(world, Phase.APPROVING, lambda: blue.within(0, 3, dice))
    for number in range(20):
        yes = ApprovalGiven(id=f"yes {number}", who="lea")
        world.at(30 + 3 * number, partial(told, world, yes))


def _is_wanted_back(world: World, dice: Random) -> None:
    """Between the save in which its deletion is decided, and the deletion.

    Where the store refuses to keep that, the endpoint's tag alone tells of it, whatever became of
    the request.
    """
    retires("{baseline: delete}")(world, dice)
    stop = AbortRequested(id="stop", who="anna", why="complaints")
    fires, refuses = dice.random() < 0.5, dice.random() < 0.5

    def now() -> None:
        lost = world.azure.faults.never_done
        if refuses:
            world.roads.refuse_until(world.clock.now() + 3 * MINUTE)
            world.azure.faults.never_done = 1.0
        told(world, world.alert() if fires else stop)
        world.azure.faults.never_done = lost

    _once(world, Phase.RETIRING, now)


# -- how it ends -------------------------------------------------------------------------------


def _noticed(world: World) -> None:
    assert any("blue was changed under its name" in why for why in world.told), "P6: nobody noticed"
    promoted(world)


def _is_kept(world: World) -> None:
    assert "blue" in world.azure.deployments, "P2: deleted after the rollback to it was decided"
    rolled_back(world)


BASELINE_STORIES: Mapping[str, Story] = {
    "baseline changes": Story(_changes, _noticed),
    "baseline changes, canary made": Story(_changes_while_prepared, _noticed),
    "baseline changes, shifting": Story(_changes_on_the_way, _noticed),
    "baseline changes, held": Story(_changes_while_held, _noticed),
    "baseline changes, frozen": Story(_changes_in_a_freeze, _noticed),
    "baseline changes, asked": Story(_changes_while_asked, _noticed),
    "deleted, wanted back": Story(_is_wanted_back, _is_kept),
}
