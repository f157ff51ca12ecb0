"""What is checked at the very moment: at each save, and at each write that Azure accepts."""

from datetime import datetime, timedelta

from rollout.core.head import Head, HistoryEntry
from rollout.core.policy import Bake, Canary, Mirror
from rollout.core.rollout import Phase, Rollout
from tests.simulation.azure import Write
from tests.simulation.world import CHURN, World

BACK_WITHIN = timedelta(minutes=20)
"""So long a way back may take at most while Azure refuses nothing, whatever else fails."""

OVERDUE_MAX = timedelta(minutes=6)
"""So late a look may be, whatever the queue loses: the sweep's own messages must come through."""

REQUESTS_MIN = 100
"""Fewer requests than that to the canary are no evidence, whatever they say."""

MESSAGES_MAX = 60


class Oaths:
    """Raises AssertionError inside the step that breaks one, so that the history ends there."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._decided: set[str] = set()
        self._ran = timedelta(0)
        self._at = world.clock.now()
        self._share_came: datetime | None = None
        world.saved.append(self.saved)
        world.azure.written.append(self.written)
        world.checks.append(self.comes_back)
        world.checks.append(self.is_looked_at)

    # -- a save ----------------------------------------------------------------------------------

    def saved(self, before: Head, after: Head, entry: HistoryEntry | None) -> None:
        if after.endpoint != CHURN:
            return
        self._grows(before, after)
        self._is_told(before, after, entry)
        self._is_decided_once(entry)
        self._time_and_evidence(before, after, entry)

    def _grows(self, before: Head, after: Head) -> None:
        """3: nobody writes over what another has decided."""
        assert after.generation >= before.generation, "P3: an older generation was saved"
        assert after.turn >= before.turn, "P3: an older turn was saved"
        assert after.entries >= before.entries, "P8: an entry was lost"

    def _is_told(self, before: Head, after: Head, entry: HistoryEntry | None) -> None:
        """8: a transition and its entry are one save."""
        if self._place(before) == self._place(after):
            return
        assert entry is not None, f"P8: no entry tells {before.phase} to {after.phase}"
        told = (entry.before, entry.after, entry.number)
        assert told == (before.phase, after.phase, after.entries), f"P8: told is {told}"
        assert entry.why, "P8: the entry says no reason"
        self._world.census.transition(before.phase, entry.event, after.phase)

    def _place(self, head: Head) -> tuple[object, ...]:
        rollout = head.rollout
        return (rollout.id, rollout.phase, rollout.stage) if rollout else ()

    def _is_decided_once(self, entry: HistoryEntry | None) -> None:
        """3: no event is decided twice, whenever and however often it is delivered."""
        if entry is None:
            return
        assert entry.event_id not in self._decided, f"P3: {entry.event_id} was decided twice"
        self._decided.add(entry.event_id)

    def _time_and_evidence(self, before: Head, after: Head, entry: HistoryEntry | None) -> None:
        """4, 5: a stage is left upwards after its shortest time, on minutes of its own share."""
        now, old, new = self._world.clock.now(), before.rollout, after.rollout
        if old and old.phase is Phase.MEASURING:
            self._ran += now - self._at
        self._at = now
        if old is None or new is None:
            return
        if old.phase is not Phase.MEASURING and new.phase is Phase.MEASURING:
            self._share_came = self._share_came or now
        if (old.id, old.stage) == (new.id, new.stage):
            return
        up = old.id == new.id and new.stage > old.stage
        if up and entry and entry.event == "Looked" and old.phase is Phase.MEASURING:
            self._was_earned(old, entry, now)
        self._ran, self._share_came = timedelta(0), None

    def _was_earned(self, old: Rollout, entry: HistoryEntry, now: datetime) -> None:
        stage = old.here
        assert isinstance(stage, Mirror | Canary | Bake), stage
        shortest = stage.shortest_minutes * old.minute
        assert self._ran >= shortest, f"P5: {stage} was left after {self._ran}, not {shortest}"
        assert self._share_came is not None, "P5: left before its share was seen"
        since = self._share_came - 2 * old.minute  # the share may have stood before it was seen
        real = self._world.azure.served(old.canary, since.replace(second=0, microsecond=0))
        assert real >= REQUESTS_MIN, f"P4: {stage} passed on {real} requests"
        told = entry.numbers.get("findings", ())
        assert told, f"P4: {stage} passed, and no finding says so"
        for found in told:
            rested = found.get("canary", {}).get("requests", 0)
            assert rested <= real, f"P5: {stage} passed on {rested} requests, its share had {real}"

    # -- a write ---------------------------------------------------------------------------------

    def written(self, write: Write) -> None:
        """Decide, save, then do: what is sent is what the row owes at this moment."""
        head = self._world.head
        rollout = head.rollout
        assert rollout is not None, "a write without a rollout"
        if write.expect is None:
            decided = rollout.rollback is not None or self._is_kept_at_azure(rollout.id)
            assert decided, "P2: sent as a rollback, and none is decided"
            assert write.traffic == rollout.recorded, f"P2: {write.traffic} is not the way back"
            return
        assert rollout.rollback is None, f"P2: {write.traffic} was sent after the rollback"
        assert not rollout.over, "a write of a rollout that is over"
        owed = [getattr(debt.action, "traffic", None) for debt in head.owed]
        assert write.traffic in owed, f"{write.traffic} was sent, and is not owed: {head.owed}"

    def _is_kept_at_azure(self, rollout_id: str) -> bool:
        """Only a way back that the store refused may be told by the endpoint's tag instead."""
        mark = self._world.azure.aborted
        refused = [head.rollout for head in self._world.unsaved if head.rollout]
        tried = any(one.id == rollout_id and one.rollback for one in refused)
        return tried and mark is not None and mark.rollout_id == rollout_id

    # -- every moment ----------------------------------------------------------------------------

    def comes_back(self) -> None:
        """2: the recorded map is restored within a bounded time, unless Azure refuses."""
        rollout, azure = self._world.head.rollout, self._world.azure
        assert len(self._world.queue.rows) < MESSAGES_MAX, "messages multiply"
        if rollout is None or rollout.phase is not Phase.ROLLING_BACK or azure.gone:
            return
        now, closed = self._world.clock.now(), azure.faults.refused
        since = self._world.roads.taken_since(rollout.phase_since)
        since = max(since, closed[1] if closed else since)
        gone = set(rollout.recorded.live) - set(azure.deployments)
        assert gone or now - since <= BACK_WITHIN, f"P2: not back {now - since} after the decision"

    def is_looked_at(self) -> None:
        """3: what is due is looked at, however many messages are lost, late or doubled."""
        head, now = self._world.head, self._world.clock.now()
        if head.live and head.due_at:
            late = now - self._world.roads.taken_since(head.due_at)
            assert late <= OVERDUE_MAX, f"P3: nobody has looked for {late}, in {head.phase}"
