"""How much worse the canary can still be: anytime 95 % bounds of its excess and of its ratio."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from rollout.analysis.grid import BIT, log_mean, spaced
from rollout.analysis.split import Split

DELTAS = (
    *(0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.09, 0.06, 0.045, 0.03),
    *(0.02, 0.015, 0.01, 0.007, 0.005, 0.0035, 0.0025, 0.0015, 0.001),
)
RATIOS = (0.02, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.93)
_LESS = tuple((r, 1 - r) for r in RATIOS)
SURE = math.log(20)
LOG_RATIOS = spaced(math.log(0.01), math.log(1000), 31)
FINE = 15
NEGLIGIBLE = 40.0
"""So much less likely than the best adds nothing to a sum of floating-point numbers."""
PEAKED = 7.0
"""No average is so much less likely than the best: the fine grid is not finer than that."""

Point = tuple[float, float]
"""A ratio's logarithm and its log-likelihood."""


def excess_bound(minutes: Sequence[Split], phi: float) -> float:
    """The anytime 95 % upper bound of p_canary - p_baseline; 1 when nothing is known.

    Valid for any rate of the baseline, known or not, and with no failures at all: then it is about
    3 / requests, the rule of three.
    """
    paired = [one for one in minutes if one.paired]
    canary = sum([one.canary for one in paired])
    fixed = [(known / phi, canary * (1 - r) / phi) for r, known in _fixed(paired)]

    def may_be(delta: float) -> bool:
        return log_mean([known + more * delta for known, more in fixed]) < SURE

    ruled_out = bisect_left(DELTAS, x=True, key=may_be)  # the smaller, the less is ruled out
    return DELTAS[ruled_out - 1] if ruled_out else 1.0


def _fixed(paired: Sequence[Split]) -> list[tuple[float, float]]:
    """Each ratio with the part that does not depend on the excess that is tried."""
    canary_bad = sum([one.canary_bad for one in paired])
    failing = [(float(y), n / m) for n, _, m, y in paired if y]
    log1p = math.log1p
    return [
        (r, canary_bad * math.log(r) + sum([y * log1p(part * less) for y, part in failing]))
        for r, less in _LESS
    ]


def ratio_interval(minutes: Sequence[Split], phi: float) -> tuple[float, float | None]:
    """The anytime 95 % interval of p_canary / p_baseline; None where it has no upper end.

    A ratio is inside unless the average over all ratios explains the failures 20 times as well.
    """
    telling = [one for one in minutes if one.tells]
    if not telling:
        return 0.0, None
    points = _likelihoods(telling, phi)
    least = _average(points) - phi * SURE
    inside = [at for at, (_, log) in enumerate(points) if log > least]
    low = _crossing(points[inside[0] - 1], points[inside[0]], least) if inside[0] else None
    end = inside[-1] + 1
    high = _crossing(points[end], points[end - 1], least) if end < len(points) else None
    return 0.0 if low is None else math.exp(low), None if high is None else math.exp(high)


def _likelihoods(telling: Sequence[Split], phi: float) -> list[Point]:
    """Of the ratio's logarithms in order: a coarse grid, and a fine one around its best point.

    The likelihood is concave, so the coarse grid is climbed from its middle, and left out where it
    is so low that it adds nothing to an average and lies outside of any interval.
    """
    rows = [(float(n), float(m), float(x + y)) for n, x, m, y in telling]
    canary_bad = sum([one.canary_bad for one in telling])
    known: dict[int, float] = {}

    def at(place: int) -> float:
        if place not in known:
            known[place] = _likelihood(rows, canary_bad, LOG_RATIOS[place])
        return known[place]

    best, last = len(LOG_RATIOS) // 2, len(LOG_RATIOS) - 1
    while best and at(best - 1) >= at(best):
        best -= 1
    while best < last and at(best + 1) > at(best):
        best += 1
    least = at(best) - max(NEGLIGIBLE, PEAKED + phi * SURE)
    low, high = best, best
    while low and at(low) >= least:
        low -= 1
    while high < last and at(high) >= least:
        high += 1
    coarse = [(LOG_RATIOS[place], at(place)) for place in range(low, high + 1)]
    around = spaced(LOG_RATIOS[max(0, best - 1)], LOG_RATIOS[min(best + 1, last)], FINE)
    return sorted(coarse + [(u, _likelihood(rows, canary_bad, u)) for u in around[1:-1]])


def _likelihood(
    rows: Sequence[tuple[float, float, float]], canary_bad: float, log_ratio: float
) -> float:
    log2, psi = math.log2, math.exp(log_ratio)
    pooled = sum([bad * log2(canary * psi + baseline) for canary, baseline, bad in rows])
    return canary_bad * log_ratio - BIT * pooled


def _average(points: Sequence[Point]) -> float:
    """The logarithm of the mean likelihood over all ratios' logarithms, by trapezia."""
    top, exp = max([log for _, log in points]), math.exp
    heights = [(u, exp(log - top)) for u, log in points]
    twice = sum([(v - u) * (low + high) for (u, low), (v, high) in pairwise(heights)])
    return top + math.log(twice / 2 / (LOG_RATIOS[-1] - LOG_RATIOS[0]))


def _crossing(outside: Point, inside: Point, least: float) -> float:
    """Where the likelihood falls below the least, between two points."""
    (there, low), (here, high) = outside, inside
    return here + (there - here) * (high - least) / (high - low) if high > low else here
