"""A record's shares as stages: what the canary had, for how long, with the times of a policy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rollout.core.freeze import NO_FREEZE
from rollout.core.patience import TooLittle
from rollout.core.policy import (
    Approval,
    Bake,
    Canary,
    Mirror,
    Policy,
    Smoke,
    Stage,
    StageEntry,
    Trial,
)
from rollout.rehearsal.recording import RecordedMinute, Recording


@dataclass(frozen=True, slots=True)
class Leg:
    """Minutes with one share; `timed_by` is the policy's stage whose times it is given."""

    since: datetime
    stage: Trial
    timed_by: Trial | None

    @property
    def exact(self) -> bool:
        """Whether the policy has this very stage."""
        return str(self.stage) == str(self.timed_by)


def rising(minutes: Sequence[RecordedMinute]) -> Sequence[RecordedMinute]:
    """The minutes from the first share on until a share falls: no rollout goes down in stages."""
    begun = [place for place, one in enumerate(minutes) if one.share]
    kept = list(minutes[begun[0] :] if begun else ())
    for place in range(1, len(kept)):
        if _rank(kept[place]) < _rank(kept[place - 1]):
            return kept[:place]
    return kept


def _rank(minute: RecordedMinute) -> tuple[bool, int]:
    return not minute.mirrored, minute.share


def legs(recording: Recording, policy: Policy) -> tuple[Leg, ...]:
    """One leg for each share."""
    known = policy.plan(first=recording.baseline is None)
    found: list[Leg] = []
    before: tuple[bool, int] | None = None
    for minute in rising(recording.minutes):
        if _rank(minute) != before:
            before = _rank(minute)
            found.append(_leg(minute, known))
    return tuple(found)


_TIMES = {"shortest_minutes", "longest_minutes"}


def _leg(minute: RecordedMinute, known: Sequence[Stage]) -> Leg:
    like = _like(minute, known)
    times = like.model_dump(include=_TIMES) if like else {}
    stage: Trial
    if minute.mirrored:
        stage = Mirror(percent=minute.share, **times)
    elif minute.share == 100:
        stage = Bake(**times)
    else:
        stage = Canary(weight=minute.share, **times)
    return Leg(minute.at, stage, like)


def _like(minute: RecordedMinute, known: Sequence[Stage]) -> Trial | None:
    """The policy's stage of the same kind with that share; else the next below, or above."""
    trials = [one for one in known if isinstance(one, Mirror | Canary | Bake)]
    shares = {share: one for one in trials if (share := _share(one, minute)) is not None}
    below = [share for share in shares if share <= minute.share]
    nearest = max(below, default=min(shares, default=None))
    return None if nearest is None else shares[nearest]


def _share(stage: Trial, minute: RecordedMinute) -> int | None:
    """The stage's share, where it is of the minute's kind."""
    match stage:
        case Mirror(percent=percent) if minute.mirrored:
            return percent
        case Canary(weight=weight) if not minute.mirrored and minute.share < 100:
            return weight
        case Bake() if not minute.mirrored and minute.share == 100:
            return 100
    return None


def rehearsed(policy: Policy, found: Sequence[Leg]) -> Policy:
    """The policy with the record's stages: its rules and guards are its own.

    Pace, capacity, freezes and hooks are left out: the record's shares are given, its instances
    unknown, and nobody is asked.
    """
    entries = tuple(StageEntry.model_validate({leg.stage.kind: leg.stage}) for leg in found)
    given: dict[str, object] = {
        "stages": entries,
        "baseline": "current",
        "pace": "fixed",
        "capacity": "ignore",
        "freeze": NO_FREEZE,
        "hooks": (),
    }
    if _gives_other_shares(policy):
        longer = policy.too_little.model_copy(update={"then": TooLittle.LONGER})
        given["on_too_little"] = longer
    return policy.model_copy(update=given)


def _gives_other_shares(policy: Policy) -> bool:
    return policy.too_little.then in {TooLittle.NOTCH, TooLittle.MIRROR}


# -- what the reader must know ---------------------------------------------------------------------


def notes(recording: Recording, policy: Policy, found: Sequence[Leg]) -> tuple[str, ...]:
    """Where record and policy do not fit each other, one sentence each."""
    return (
        *_of_stages(recording, policy, found),
        *_of_shares(recording),
        *_of_gaps(recording),
        *_of_silence(recording),
        *_of_pairs(recording, policy),
    )


def _of_stages(recording: Recording, policy: Policy, found: Sequence[Leg]) -> Iterator[str]:
    for leg in found:
        if not leg.exact:
            times = f"the times of {leg.timed_by}" if leg.timed_by else "the default times"
            yield f"the policy has no stage {leg.stage}: it is given {times}"
    recorded = {str(leg.stage) for leg in found}
    for stage in policy.plan(first=recording.baseline is None):
        if isinstance(stage, Mirror | Canary | Bake) and str(stage) not in recorded:
            yield f"{stage} is not in the record"
        elif isinstance(stage, Smoke | Approval):
            yield f"{stage} is not replayed: the record has no answers to it"
    if _gives_other_shares(policy):
        way = policy.too_little.then
        yield f"on_too_little: {way} is replayed as longer: the record has no such share"


def _of_pairs(recording: Recording, policy: Policy) -> Iterator[str]:
    if policy.agreement is None:
        return
    if recording.pairs is None:
        yield "pairs: not recorded, so guards on answers are not measured"
    else:
        yield "pairs are counted as they were compared then, and no request is sent again"


def _of_shares(recording: Recording) -> Iterator[str]:
    kept = rising(recording.minutes)
    falls = [one for one in recording.minutes if kept and one.at > kept[-1].at]
    if falls:
        yield (
            f"the share falls from {kept[-1].share} % to {falls[0].share} % at"
            f" {falls[0].at:%H:%M}: replayed until then"
        )


def _of_gaps(recording: Recording) -> Iterator[str]:
    kept = rising(recording.minutes)
    told = sum(one.canary is not None or one.baseline is not None for one in kept)
    span = (kept[-1].at - kept[0].at) // recording.minute + 1 if kept else 0
    if gaps := span - told:
        yield f"minutes without any number: {gaps}"


def _of_silence(recording: Recording) -> Iterator[str]:
    """A canary that vanishes from the record while it should serve."""
    kept = rising(recording.minutes)
    served = [one.at for one in kept if one.canary and one.canary.requests]
    quiet = [
        one
        for one in kept
        if one.baseline and one.baseline.requests and (not served or one.at > served[-1])
    ]
    if quiet:
        yield (
            f"the canary answers nothing from {quiet[0].at:%H:%M} on, although it has"
            f" {quiet[0].share} % of the requests: that is never a pass"
        )
