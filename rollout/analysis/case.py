"""One guard's case: the minutes it is judged on, in order, and the terms."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from rollout.analysis.ground import Ground
from rollout.analysis.report import Guard, Metric
from rollout.analysis.samples import BAD, Minute
from rollout.analysis.threshold import threshold

KUBERNETES_ERRORS = (502, 504)
SHARE_CHANGES = 3
"""So many changes of the share start the evidence afresh beside the whole."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a judgment needs besides counts and guards.

    `planned_minutes` is how long the rollout lasts when all goes well: the longer, the more
    evidence is asked for; `strict` asks for 100 : 1 always. `least_requests` is how many requests
    each arm must have answered before a relative guard can pass, `least_requests_absolute` the
    same for the canary and absolute guards. On a Kubernetes endpoint 502 and 504 are errors too.
    With `paced` it is told how bad the canary can be by the whole trial, though a part is judged.
    """

    planned_minutes: float = 30
    kubernetes: bool = False
    strict: bool = False
    paced: bool = False
    least_requests: int = 100
    least_requests_absolute: int = 50
    errors: Collection[int] = (408, 424)
    unavailable: Collection[int] = (429, 503)
    platform: Collection[int] = (500,)

    def statuses(self, metric: Metric) -> frozenset[int]:
        """The statuses that are bad answers for a metric that is a rate."""
        bad = {
            Metric.ERROR_RATE: (*self.errors, *(KUBERNETES_ERRORS if self.kubernetes else ())),
            Metric.UNAVAILABLE_RATE: self.unavailable,
            Metric.PLATFORM_RATE: self.platform,
            Metric.CUSTOM: (BAD,),
        }
        return frozenset(bad[metric])


@dataclass(frozen=True, slots=True)
class Case:
    """A guard, what it is judged on, and its part of the risk.

    `brief` leaves out how much worse the canary can still be: only the evidence is asked for.
    """

    guard: Guard
    ground: Ground
    terms: Terms
    stake: float = 1.0
    brief: bool = False

    @property
    def minutes(self) -> tuple[Minute, ...]:
        return self.ground.minutes

    @property
    def history(self) -> tuple[Minute, ...]:
        return self.ground.history

    @property
    def watermark(self) -> datetime | None:
        return self.minutes[-1].at if self.minutes else None

    @property
    def restarts(self) -> tuple[int | None, ...]:
        """The minute numbers at which the share changed, as many as count."""
        changes = self.ground.share_changes
        return (*changes[:SHARE_CHANGES], *(None,) * (SHARE_CHANGES - len(changes)))

    def threshold(self, phi: float) -> float:
        """The evidence that is enough for one guard alone."""
        return threshold(self.terms.planned_minutes, phi, strict=self.terms.strict)


def in_order(minutes: Iterable[Minute]) -> tuple[Minute, ...]:
    """Oldest first; of a minute that comes twice the last counts; gaps are left out."""
    once = {minute.at: minute for minute in minutes}
    ordered = sorted(once.values(), key=attrgetter("at"))
    return tuple([one for one in ordered if not (one.canary is None and one.baseline is None)])
