"""Evidence that the canary's own rate is above a number, whatever the baseline does.

An absolute guard watches a promise made to users, not the difference between two deployments: it
also fires when both arms suffer. The test may be looked at any time: E averages over how far above
the limit the rate may be and since which minute, and reaches 1/a with probability at most a while
the rate is at most the limit.
"""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple, Self

from rollout.analysis.dispersion import VARIANCE_LEAST
from rollout.analysis.excess import Trace
from rollout.analysis.grid import iterated, log_mean, log_sum
from rollout.analysis.likeness import PRIOR_MINUTES

ABOVE = iterated(1.25, 30, 8)
"""How many times the odds of the limit the rate may be."""
BELOW = (0.02, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85)
LIMIT_LEAST = 1e-9
SURPRISE_MAX = 16.0
"""A single jump is news, not scatter."""

Tally = tuple[int, int]
"""Requests and bad answers of one minute."""


def weigh_limit(tallies: Sequence[Tally], limit: float, phi: float) -> Trace:
    """Weigh the canary's minutes against "at most `limit`"; `phi` is the baseline's dispersion."""
    within = max(limit, LIMIT_LEAST)
    alternatives = [_Odds.of(_by_odds(within, g), within) for g in ABOVE]
    running = [-math.inf] * len(alternatives)
    ln_e, phis, surprises = list[float](), list[float](), accumulate(_surprises(tallies))
    for number, ((requests, bad), surprise) in enumerate(zip(tallies, surprises, strict=False)):
        divisor = _phi(phi, surprise, number + 1)
        begins = -math.log((number + 1) * (number + 2))
        running = [
            log_sum(before, begins) + (bad * odds.bad + (requests - bad) * odds.good) / divisor
            for before, odds in zip(running, alternatives, strict=True)
        ]
        phis.append(divisor)
        ln_e.append(log_sum(log_mean(running), -math.log(number + 2)))
    return Trace(tuple(ln_e), tuple(phis))


def surely_within(tallies: Sequence[Tally], limit: float, phi: float) -> bool:
    """Whether the anytime 95 % bound of the rate is at most the limit."""
    if not 0 < limit < 1:
        return limit >= 1
    requests, bad = sum(n for n, _ in tallies), sum(x for _, x in tallies)
    below = [_Odds.of(limit * part, limit) for part in BELOW]
    logs = [(bad * odds.bad + (requests - bad) * odds.good) / phi for odds in below]
    return log_mean(logs) >= math.log(20)


def _by_odds(limit: float, times: float) -> float:
    return times * limit / (1 - limit + times * limit)


class _Odds(NamedTuple):
    """What a bad and a good answer each add to the evidence for a rate, against the limit."""

    bad: float
    good: float

    @classmethod
    def of(cls, rate: float, limit: float) -> Self:
        if limit >= 1:
            return cls(0.0, 0.0)
        return cls(math.log(rate / limit), math.log((1 - rate) / (1 - limit)))


def _surprises(tallies: Sequence[Tally]) -> list[float]:
    """How far each minute is from the one before it, in expected variances."""
    return [1.0, *(_surprise(one, two) for one, two in pairwise(tallies))]


def _surprise(one: Tally, two: Tally) -> float:
    (requests, bad), (requests_next, bad_next) = one, two
    both = requests + requests_next
    if not requests or not requests_next:
        return 1.0
    rate = (bad + bad_next) / both
    error = bad_next - requests_next * rate
    variance = max(requests * requests_next / both * rate * (1 - rate), VARIANCE_LEAST)
    return min(SURPRISE_MAX, error * error / variance)


def _phi(prior: float, surprise: float, minutes: int) -> float:
    return max(1.0, (PRIOR_MINUTES * prior + surprise) / (PRIOR_MINUTES + minutes))
