"""What a schedule sees of canaries that fail more often, and what each costs until it is seen."""

from collections.abc import Sequence

from pydantic import Field

from rollout.analysis.chance import Asked
from rollout.analysis.compare_rates import margin
from rollout.analysis.plan import (
    USUAL_DETECTION,
    Leg,
    Sight,
    evidence_rate_beyond,
    foresee,
)
from rollout.analysis.report import Metric, Severity
from rollout.analysis.threshold import relative, stakes
from rollout.analysis.words import figures, percent
from rollout.core.frozen import Frozen
from rollout.core.policy import Policy, planned_minutes
from rollout.rehearsal.traffic import TrafficView

EFFECTS = (1.5, 2, 3, 5, 10)
"""So many times as often as the baseline; a canary that always fails is looked at beside them."""


LIKELY = 0.005


class SightView(Frozen):
    """What becomes of a canary that fails more often than the baseline."""

    canary: str = Field(description='such as "fails 2 times as often"')
    times: float = Field(description="how many times as often as the baseline it fails")
    error_rate: float = Field(description="how often it fails, 0 to 1")
    allowed: bool = Field(description="within the guards' margin, however much is counted")
    detection: float = Field(description="the chance that it is noticed before 100 %, 0 to 1")
    minute: int | None = Field(
        description="the minute of its traffic in which it is noticed, metrics' lag included;"
        " None: more than the schedule has"
    )
    canary_requests: float | None = Field(
        description="live requests it has answered by then; copies cost nobody"
    )

    @property
    def reliable(self) -> bool:
        return self.detection >= USUAL_DETECTION

    @property
    def likely(self) -> bool:
        """Whether there is a chance worth a number."""
        return self.detection >= LIKELY


def asked_by(policy: Policy) -> tuple[Asked, ...]:
    """What the guards ask for that give the traffic back when the canary fails more often."""
    planned = planned_minutes(policy.plan(first=False))
    return tuple(
        Asked(margin(guard), part, planned, policy.strict)
        for guard, part in zip(policy.guards, stakes(policy.guards), strict=True)
        if guard.metric is Metric.ERROR_RATE and guard.severity is Severity.FAIL and relative(guard)
    )


def sights(
    legs: Sequence[Leg], traffic: TrafficView, asked: Sequence[Asked]
) -> tuple[SightView, ...]:
    """The usual effects and a broken canary; nothing where no guard compares error rates."""
    usual = traffic.known.usual_rate
    effects = [times for times in EFFECTS if times * usual < 1]
    return tuple(
        seen for times in (*effects, 1 / usual) if (seen := sight(legs, traffic, asked, times))
    )


def sight(
    legs: Sequence[Leg], traffic: TrafficView, asked: Sequence[Asked], times: float
) -> SightView | None:
    """The same for one effect, by the guard that notices it best."""
    found = [foresee(legs, traffic.known, times, one, traffic.lag_minutes) for one in asked]
    best = max(found, key=_how_well, default=None)
    return _view(best, traffic, asked) if best else None


def _how_well(one: Sight) -> tuple[float, float]:
    return one.detection, -(one.minutes or 0)


def _view(one: Sight, traffic: TrafficView, asked: Sequence[Asked]) -> SightView:
    usual = traffic.known.usual_rate
    rate = min(1.0, one.times * usual)
    return SightView(
        canary=effect(one.times, rate),
        times=one.times,
        error_rate=rate,
        allowed=not any(evidence_rate_beyond(0.5, rate, usual, each.margin) for each in asked),
        detection=one.detection,
        minute=None if one.minutes is None else one.minutes + traffic.lag_minutes,
        canary_requests=one.canary_requests,
    )


def effect(times: float, rate: float) -> str:
    if rate >= 1:
        return "fails every request"
    return f"fails {figures(times)} times as often ({percent(rate)})"
