"""What must be true after every step of a storm, whatever goes wrong."""

import itertools
from datetime import timedelta

from rollout.core.head import Head, HistoryEntry
from rollout.core.policy import Canary
from rollout.core.rollout import Phase, Rollout
from rollout.core.traffic import Traffic
from tests.simulation.azure import Write
from tests.simulation.world import CHURN, World

BLUE = Traffic.all_to("blue")


def _notched(rollout: Rollout, stage: Canary) -> int:
    """The weight with the notch that the policy itself gives a stage that wants traffic."""
    rule = rollout.policy.on_too_little
    if rule is None or rule.then != "notch":
        return stage.weight
    written = [one.weight for one in rollout.stages if isinstance(one, Canary)]
    ahead = min((weight for weight in written if weight > stage.weight), default=99)
    return min(stage.weight + rule.points, ahead)


class Promises:
    """The promises of the design, as checks on one world; each raises AssertionError."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._decided_back_at: int | None = None
        self._entries = 0
        self._frozen_checked = 0
        self._is_told = True
        world.checks.append(self.check)
        world.saved.append(self.saved)
        world.azure.written.append(self.written)

    def check(self) -> None:
        head = self._world.head
        self._nothing_raises_after_a_rollback(head)
        self._owed_is_of_this_generation(head)
        self._notices_go_alone()
        if self._is_told:
            self._history_is_whole()
            self._no_step_up_begins_in_a_freeze(head)
            self._is_told = False

    def saved(self, _before: Head, _after: Head, entry: HistoryEntry | None) -> None:
        self._is_told = self._is_told or entry is not None

    def written(self, write: Write) -> None:
        """1: the canary never gets more traffic than the stages it has reached allow."""
        rollout = self._world.head.rollout
        if rollout is None:
            return
        reached = rollout.stages[: rollout.stage + 1]
        weights = [stage.weight for stage in reached if isinstance(stage, Canary)]
        weights += [_notched(rollout, stage) for stage in reached if isinstance(stage, Canary)]
        allowed = 100 if str(rollout.here).startswith(("bake", "retire")) else max([0, *weights])
        share = write.traffic.share(rollout.canary)
        assert share <= allowed, f"P1: {write.traffic} was sent in {rollout.here}"
        self._never_live_and_copied_at_once(write, rollout.canary)

    def _never_live_and_copied_at_once(self, write: Write, canary: str) -> None:
        """Between copies and live requests a map without either is seen."""
        before, after = write.expect, write.traffic
        assert not (canary in after.live and canary in after.mirror), write
        if before is not None:
            assert not (canary in before.mirror and canary in after.live), write
            assert not (canary in before.live and canary in after.mirror), write

    def _nothing_raises_after_a_rollback(self, head: Head) -> None:
        """2: once decided, only the recorded map is asked for."""
        rollout = head.rollout
        going_back = rollout is not None and rollout.rollback is not None
        if not going_back:
            self._decided_back_at = None
            return
        writes = self._world.azure.writes
        if self._decided_back_at is None:
            self._decided_back_at = len(writes)
        for write in writes[self._decided_back_at :]:
            assert write.expect is None, f"{write} was sent after the rollback was decided"

    def _history_is_whole(self) -> None:
        """8: entries are numbered without a gap, and none is written twice."""
        numbers = [entry.number for entry in self._world.store.history(CHURN.key)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= self._entries
        self._entries = len(numbers)

    def _owed_is_of_this_generation(self, head: Head) -> None:
        assert all(debt.generation == head.generation for debt in head.owed), head.owed

    def _notices_go_alone(self) -> None:
        """No look, no command and no rollback waits for a receiver: notices have their own turn."""
        errands = self._world.notice_errands
        assert all(errand is not None and errand.outbox for errand in errands), errands

    def _no_step_up_begins_in_a_freeze(self, head: Head) -> None:
        """A freeze keeps back what raises the canary's share, and only that."""
        rollout = head.rollout
        for entry in self._world.store.history(CHURN.key, self._frozen_checked):
            self._frozen_checked = entry.number
            begins = entry.after is Phase.SHIFTING and entry.before is not Phase.SHIFTING
            if rollout and begins and entry.rollout_id == rollout.id:
                assert not rollout.policy.freeze.frost(entry.at), entry

    def at_the_end(self, *, good: bool) -> None:
        """The rollout has ended as it must, nothing is owed, nothing is waited for."""
        world, rollout = self._world, self._world.rollout
        assert world.head.owed == ()
        assert world.head.outbox == ()
        assert rollout.over, (rollout.phase, rollout.hold, world.told[-3:])
        assert world.azure.traffic == (rollout.recorded if not good else Traffic.all_to("green"))
        assert rollout.phase is (Phase.PROMOTED if good else Phase.ROLLED_BACK)

    def shortest_times_were_kept(self, minute: timedelta) -> None:
        """5: no share was left upwards before its shortest time."""
        rollout = self._world.rollout
        shares = rollout.shares
        trials = {str(stage): stage for stage in rollout.stages}
        for one, two in itertools.pairwise(shares):
            stage = trials[one.stage]
            shortest = getattr(stage, "shortest_minutes", 0) * minute
            assert two.since - one.since >= shortest, (one, two)
