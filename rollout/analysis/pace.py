"""How fast a canary may grow: as far as the failures it could still cause are few enough."""

from dataclasses import dataclass

from rollout.analysis.threshold import WARNING
from rollout.analysis.words import figures

FIRST_MIN, FIRST_MAX = 1, 10
GROWTH_MAX = 5
HALF, NEARLY_ALL = 50, 95
EXCESS_MIN, EXCESS_MAX = 0.001, 0.01


@dataclass(frozen=True, slots=True)
class Budget:
    """How many failed requests a bad canary may cost before it is noticed."""

    failures: float = 40.0
    part_of_minute: float = 0.04

    def at(self, requests_per_minute: float) -> float:
        return self.failures + self.part_of_minute * requests_per_minute


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known now: the share in percent, its bound, its evidence, and for how long.

    `excess_bound` is `Evidence.excess_bound`: 1 when nothing is known.
    """

    share: int
    requests_per_minute: float
    lag_minutes: int
    excess_bound: float = 1.0
    ln_e: float = 0.0
    usual_rate: float = 0.0
    minutes_at_share: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """The share to go to now (the present one: wait), and why."""

    share: int
    because: str


def next_share(seen: Seen, budget: Budget | None = None) -> Pace:
    """The largest share whose worst failures until they are noticed are within the budget.

    Worst: as many more failures as the 95 % bound allows, for the lag and two minutes. The first
    share is 1 to 10 %; later ones grow at most fivefold, after the present share's own minutes were
    seen, and never while the evidence is a warning. Above 50 % it is 95 %, once the bound is as low
    as the usual rate (0.1 to 1 %); at 95 % a bake of lag + 2 minutes, then all.
    """
    if not seen.share:
        return _go(seen, min(FIRST_MAX, max(FIRST_MIN, allowed(seen, budget))))
    if seen.ln_e >= WARNING:
        return Pace(seen.share, "the evidence is a warning")
    dwell = seen.lag_minutes + (2 if seen.share >= NEARLY_ALL else 1)
    if seen.minutes_at_share < dwell:
        return Pace(seen.share, f"{seen.share} % must be seen for {dwell} minutes")
    if seen.share >= NEARLY_ALL:
        return _go(seen, 100)
    if seen.share >= HALF:
        return _last(seen)
    return _go(seen, min(HALF, GROWTH_MAX * seen.share, allowed(seen, budget)))


def allowed(seen: Seen, budget: Budget | None = None) -> int:
    """The largest share in percent within the budget, 0 to 100."""
    worst = seen.requests_per_minute * (seen.lag_minutes + 2) * seen.excess_bound
    failures = (budget or Budget()).at(seen.requests_per_minute)
    return 100 if worst <= failures else int(100 * failures / worst)


def _last(seen: Seen) -> Pace:
    limit = max(EXCESS_MIN, min(seen.usual_rate, EXCESS_MAX))
    if seen.excess_bound <= limit:
        return _go(seen, NEARLY_ALL)
    needed, has = figures(100 * limit), figures(100 * seen.excess_bound)
    return Pace(seen.share, f"it may still be {has} points worse; {needed} are asked for")


def _go(seen: Seen, share: int) -> Pace:
    if share <= seen.share:
        return Pace(seen.share, "the budget of failures allows no larger share yet")
    worst = figures(100 * seen.excess_bound)
    return Pace(share, f"{share} % is within the budget, even if it were {worst} points worse")
