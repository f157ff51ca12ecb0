"""What a rollout will be able to see, before it begins: detection, exposure, guards in vain."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rollout.analysis.chance import Asked, Course, Rates, chance
from rollout.analysis.excess import Margin
from rollout.analysis.words import count, figures, percent

ENOUGH = math.log(100)
"""The nats any test needs on average that errs at most once in a hundred."""
USUAL_DETECTION = 0.8


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of the schedule with one share in percent; it may be mirrored traffic."""

    share: int
    minutes: int
    mirrored: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 100 or self.minutes < 0:
            raise ValueError(f"a leg has a share of 0 to 100 % and minutes, not {self}")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is known of the endpoint: its traffic, its usual failures, their scatter."""

    requests_per_minute: float
    usual_rate: float
    phi: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.requests_per_minute < math.inf or not 0 <= self.usual_rate <= 1:
            raise ValueError(f"traffic needs requests a minute and a rate from 0 to 1, not {self}")


@dataclass(frozen=True, slots=True)
class Sight:
    """What will be seen of a canary that fails `times` as often.

    `detection` is the chance that it is rolled back before 100 %; `minutes` and `canary_requests`
    are the least any test needs on average (None: more than the schedule has).
    """

    times: float
    detection: float
    minutes: int | None
    canary_requests: float | None
    sentence: str


def evidence_rate(share: float, canary_rate: float, baseline_rate: float) -> float:
    """Nats per request of all traffic, when a part `share` (0 to 1) of it goes to the canary."""
    if not 0 < share < 1:
        return 0.0
    pooled = share * canary_rate + (1 - share) * baseline_rate
    of_canary = share * divergence(canary_rate, pooled)
    return of_canary + (1 - share) * divergence(baseline_rate, pooled)


def evidence_rate_beyond(
    share: float, canary_rate: float, baseline_rate: float, margin: Margin
) -> float:
    """The same against a margin, for rare failures; 0 where the canary is within it."""
    null = margin.ratio + (margin.points / baseline_rate if baseline_rate else 0.0)
    if not 0 < share < 1 or canary_rate <= null * baseline_rate:
        return 0.0
    pooled = share * canary_rate + (1 - share) * baseline_rate
    allowed = share * null / (share * null + 1 - share)
    return pooled * divergence(share * canary_rate / pooled, allowed)


def divergence(a: float, b: float) -> float:
    """Kullback-Leibler, of failing at rate a from failing at rate b; infinite if b excludes a."""
    return _part(a, b) + _part(1 - a, 1 - b)


def _part(a: float, b: float) -> float:
    if a == 0:
        return 0.0
    return a * math.log(a / b) if b > 0 else math.inf


def foresee(
    legs: Sequence[Leg], traffic: Traffic, times: float, asked: Asked, lag_minutes: int = 2
) -> Sight:
    """What this schedule sees of a canary that fails `times` as often as the baseline."""
    compared = [leg for leg in legs if 0 < leg.share < 100 and leg.minutes]
    rates = Rates(min(1.0, times * traffic.usual_rate), traffic.usual_rate, traffic.phi)
    likely = chance([_course(leg, traffic) for leg in compared], rates, asked)
    each = [leg for leg in legs for _ in range(leg.minutes) if leg.share < 100]
    found = _first_enough([_gain(leg, traffic, rates.canary, asked.margin) for leg in each])
    served = None
    if found is not None:
        served = sum(_live(leg, traffic) for leg in each[: found + lag_minutes])
    return Sight(times, likely, found, served, _sentence(times, likely, found, served))


def _course(leg: Leg, traffic: Traffic) -> Course:
    """Of mirrored requests the baseline answers all, and the canary the copies."""
    canary = traffic.requests_per_minute * leg.share / 100
    baseline = traffic.requests_per_minute - (0.0 if leg.mirrored else canary)
    return Course(leg.minutes, canary, baseline)


def _gain(leg: Leg, traffic: Traffic, canary_rate: float, margin: Margin) -> float:
    one = _course(leg, traffic)
    requests = one.canary + one.baseline
    part = one.canary / requests if requests else 0.0
    nats = evidence_rate_beyond(part, canary_rate, traffic.usual_rate, margin)
    return requests * nats / traffic.phi


def _live(leg: Leg, traffic: Traffic) -> float:
    return 0.0 if leg.mirrored else traffic.requests_per_minute * leg.share / 100


def _first_enough(gains: Sequence[float]) -> int | None:
    """The first whole minute by which any test could decide."""
    seen = 0.0
    for minute, gain in enumerate(gains, 1):
        seen += gain
        if seen >= ENOUGH:
            return minute
    return None


def _sentence(times: float, chance: float, found: int | None, served: float | None) -> str:
    who = f"a canary that fails {figures(times)} times as often"
    if found is None or served is None:
        how = "; mirror first, wait longer, or let a person decide"
        return f"{who} is rolled back in {percent(chance)} of the rollouts{how}"
    when = f"after {count(found, 'minute')} at best"
    after = f"having answered about {figures(served, 2)} requests"
    more = "" if chance >= USUAL_DETECTION else "; mirror first or wait longer to be surer"
    return f"{who} is rolled back in {percent(chance)} of the rollouts, {when}, {after}{more}"


@dataclass(frozen=True, slots=True)
class Vain:
    """A guard that cannot decide within a leg, and why in a sentence."""

    leg: int
    sentence: str


def guards_in_vain(
    legs: Sequence[Leg], traffic: Traffic, least_requests: int, window_minutes: int = 1
) -> tuple[Vain, ...]:
    """Legs too short for a guard's window, or too thin for the requests it needs to pass."""
    found = list[Vain]()
    for number, leg in enumerate(legs):
        served = traffic.requests_per_minute * leg.share / 100 * leg.minutes
        name = f"the leg of {leg.share} % lasts {count(leg.minutes, 'minute')}"
        if leg.minutes < window_minutes:
            found.append(Vain(number, f"{name}, the guard's window is {window_minutes}"))
        elif served < least_requests:
            few = f"the canary answers about {figures(served)} of {least_requests} requests"
            found.append(Vain(number, f"{name}: {few}"))
    return tuple(found)
