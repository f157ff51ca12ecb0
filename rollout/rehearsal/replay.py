"""A replay: what a policy would have decided on recorded minutes, by the real machine and judge."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from rollout.analysis.words import figures
from rollout.core.events import Event, SkipRequested
from rollout.core.frozen import Frozen
from rollout.core.head import Head
from rollout.core.machine.decide import decide
from rollout.core.policy import Policy
from rollout.core.rollout import OVER, Phase, Rollout
from rollout.errors import Malformed
from rollout.rehearsal.legs import Leg, legs, notes, rehearsed, rising
from rollout.rehearsal.recorded import ENDPOINT, RecordedWorld
from rollout.rehearsal.recording import RecordedMinute, Recording

GIVEN = (
    "the record's shares are taken as they are; what the traffic would have been after another"
    " decision is not invented"
)


class Ending(StrEnum):
    """Where the replay stands at the end of the record."""

    ROLLED_BACK = "rolled_back"
    PROMOTED = "promoted"
    PASSED = "passed"  # every recorded stage, but the record ends before 100 %
    UNDECIDED = "undecided"


class Moment(Frozen):
    """One decision that moved something."""

    at: datetime
    minute: int = Field(description="of the canary's traffic, from 0")
    decided: str = Field(description="passed, held, asked, went on, rolled back or overtaken")
    stage: str = Field(description="the record's stage in which it was decided")
    why: str


class ReplayView(Frozen):
    """What would have been decided, as far as the recorded shares allow."""

    policy: str
    version: str
    recorded: str = Field(description="the rollout or endpoint that was recorded")
    since: datetime
    until: datetime
    ending: Ending
    moments: tuple[Moment, ...]
    verdict: str = Field(description="the outcome in one sentence")
    notes: tuple[str, ...] = Field(description="where record and policy do not fit each other")


def replay(policy: Policy, name: str, recording: Recording) -> ReplayView:
    """Decide on each recorded minute as it became readable; raises Malformed for no minutes.

    Where the record goes on to the next share before the policy would have, the stage is skipped
    and its evidence kept; where it stays longer, the replay waits with it.
    """
    found = legs(recording, policy)
    if not found:
        raise Malformed("the record has no minute in which the canary had a share")
    kept = rising(recording.minutes)
    course = _Course(rehearsed(policy, found), name, recording, found)
    for time in _times(recording, kept):
        course.advance_to(time)
        if course.rollout.phase in {*OVER, Phase.ROLLING_BACK}:
            break
    end = kept[-1].at + recording.minute
    return ReplayView(
        policy=name,
        version=policy.version,
        recorded=recording.rollout or recording.endpoint,
        since=kept[0].at,
        until=end,
        ending=course.ending,
        moments=tuple(course.moments),
        verdict=_verdict(course, kept, end),
        notes=(GIVEN, *notes(recording, policy, found)),
    )


def _times(recording: Recording, kept: Sequence[RecordedMinute]) -> Iterator[datetime]:
    """Every minute's start, until the last minute can be read."""
    time, end = kept[0].at, kept[-1].at + recording.minute + recording.lag
    while time <= end:
        yield time
        time += recording.minute


class _Course:
    """The state machine on its way through the record."""

    def __init__(
        self, policy: Policy, name: str, recording: Recording, found: Sequence[Leg]
    ) -> None:
        self._world = RecordedWorld(recording)
        self._legs = found
        self._minute = recording.minute
        self._head = Head(endpoint=ENDPOINT)
        self.moments: list[Moment] = []
        self.why = ""
        self._world.time = found[0].since
        self._decide(self._world.start(policy, name))

    @property
    def rollout(self) -> Rollout:
        assert self._head.rollout is not None, self._head
        return self._head.rollout

    @property
    def ending(self) -> Ending:
        if self.rollout.phase is Phase.ROLLING_BACK:
            return Ending.ROLLED_BACK
        if self.rollout.phase is Phase.PROMOTED:
            return Ending.PROMOTED
        return Ending.PASSED if self.rollout.stage == len(self._legs) else Ending.UNDECIDED

    def advance_to(self, time: datetime) -> None:
        """Follow the record to that time, and look until nothing moves any more."""
        self._world.time = time
        here = sum(leg.since <= time for leg in self._legs) - 1
        self._look(here)
        while self.rollout.stage < here and self.rollout.phase is not Phase.ROLLING_BACK:
            self._decide(self._world.skip())
            self._look(here)

    def _look(self, here: int) -> None:
        """Look; a map that the record has by now is seen at once, the mirror's end before it."""
        self._decide(self._world.look(self._head, arrived=self.rollout.stage <= here))
        while self.rollout.phase is Phase.SHIFTING and self.rollout.stage <= here:
            self._decide(self._world.look(self._head, arrived=True))

    def _decide(self, event: Event) -> None:
        before = self._head
        decision = decide(before, event, self._world.time)
        if before.rollout is None and not decision.taken:
            raise Malformed(f"the policy cannot be replayed on this record: {decision.why}")
        assert decision.taken, (event, decision.why)
        self._head, self.why = decision.head, decision.why
        if before.rollout is not None:
            self._tell(before.rollout, event, decision.why)

    def _tell(self, before: Rollout, event: Event, why: str) -> None:
        decided = _deed(before, self.rollout, event)
        if decided:
            minute = (self._world.time - self._legs[0].since) // self._minute
            self.moments.append(
                Moment(
                    at=self._world.time,
                    minute=minute,
                    decided=decided,
                    stage=str(before.here),
                    why=why,
                )
            )


def _deed(before: Rollout, after: Rollout, event: Event) -> str:
    """What a decision did, in one word; nothing where it moved nothing a person asks for."""
    if isinstance(event, SkipRequested):
        return "overtaken" if before.phase is not Phase.SHIFTING else ""
    if after.phase in {Phase.ROLLING_BACK, Phase.HOLDING, Phase.APPROVING}:
        words = {Phase.ROLLING_BACK: "rolled back", Phase.HOLDING: "held", Phase.APPROVING: "asked"}
        return words[after.phase] if before.phase is not after.phase else ""
    if after.stage > before.stage or after.phase is Phase.PROMOTED:
        return "passed"
    return "went on" if before.phase is Phase.HOLDING else ""


def _verdict(course: _Course, kept: Sequence[RecordedMinute], end: datetime) -> str:
    last = course.moments[-1] if course.moments else None
    match course.ending:
        case Ending.ROLLED_BACK if last:
            return f"rolled back in minute {last.minute}, after {_toll(kept, last.at, end)}"
        case Ending.PROMOTED if last:
            return f"promoted in minute {last.minute}"
        case Ending.PASSED if last:
            return (
                f"every recorded stage passed by minute {last.minute}; the record ends before 100 %"
            )
    here, why = course.rollout.here, course.why.removeprefix(f"{course.rollout.here}: ")
    return f"undecided where the record ends, in {here}: {why}"


def _toll(kept: Sequence[RecordedMinute], at: datetime, end: datetime) -> str:
    """How many live requests the canary had answered by then, and how many the record has more.

    A record ends with the last minute that was read, which is earlier than the decision on it.
    """
    live = [(one.at, one.canary.requests) for one in kept if one.canary and not one.mirrored]
    until = sum(count for minute, count in live if minute < at)
    after = sum(count for minute, count in live if minute >= at)
    more = f"; the record has {figures(after, 3)} more" if after else ""
    least = "at least " if until and at > end else ""
    return f"{least}{figures(until, 3)} live requests to the canary{more}"
