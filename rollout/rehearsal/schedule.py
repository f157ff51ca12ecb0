"""A policy's stages on a line of time: when each begins and ends, at the earliest and latest."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rollout.analysis import plan
from rollout.analysis.case import Terms
from rollout.analysis.report import Severity
from rollout.analysis.threshold import relative
from rollout.core.policy import Approval, Bake, Canary, Mirror, Policy, Stage
from rollout.rehearsal.traffic import TrafficView

LEG_MINUTES_MAX = 1440
"""A longer stage is planned as one of a day: what is seen by then is seen."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One stage: its share in percent, and how long it lasts; in minutes.

    `needed` is how long the thinner arm takes to answer the requests without which no guard passes;
    it may be longer than the stage lasts.
    """

    stage: Stage
    share: int = 0
    mirrored: bool = False
    least: int = 0
    most: int = 0
    needed: float = 0.0

    @property
    def leg(self) -> plan.Leg:
        return plan.Leg(self.share, min(self.least, LEG_MINUTES_MAX), self.mirrored)

    @property
    def longest_leg(self) -> plan.Leg:
        return plan.Leg(self.share, min(self.most, LEG_MINUTES_MAX), self.mirrored)

    @property
    def thin(self) -> bool:
        """Whether too few requests come for any guard to pass."""
        return self.needed > self.most


def schedule(policy: Policy, traffic: TrafficView) -> tuple[Stretch, ...]:
    """Every stage with its shortest and its longest time, on an endpoint with a baseline.

    At its shortest a stage lasts until the metrics of its last minute have come, and until both
    arms have answered enough.
    """
    return tuple(_stretch(stage, policy, traffic) for stage in policy.plan(first=False))


def _stretch(stage: Stage, policy: Policy, traffic: TrafficView) -> Stretch:
    if isinstance(stage, Approval):
        return Stretch(stage, most=stage.deadline_minutes)
    if not isinstance(stage, Mirror | Canary | Bake):
        return Stretch(stage)
    share, arm = _shares(stage)
    needed = least_requests(policy, stage) / (traffic.requests_per_minute * arm / 100)
    lag = traffic.lag_minutes
    most = max(stage.longest_minutes, stage.shortest_minutes + lag)
    judged = max(1, stage.shortest_minutes, math.ceil(min(needed, most)))
    least = min(judged + lag, most)
    return Stretch(stage, share, isinstance(stage, Mirror), least, most, needed)


def _shares(stage: Mirror | Canary | Bake) -> tuple[int, int]:
    """The canary's share, and that of the arm with fewer requests."""
    match stage:
        case Mirror(percent=percent):
            return percent, percent
        case Canary(weight=weight):
            return weight, min(weight, 100 - weight)
        case Bake():
            return 100, 100


def least_requests(policy: Policy, stage: Stage) -> int:
    """What each arm must have answered before the stage's guards can pass."""
    compares = any(
        relative(guard) for guard in policy.guards if guard.severity is not Severity.WATCH
    )
    beside = compares and not isinstance(stage, Bake)
    terms = Terms()
    return terms.least_requests if beside else terms.least_requests_absolute


def trials(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """The stages with traffic of their own."""
    return (one for one in stretches if one.share)
