"""Evidence that the canary fails more often than the baseline by more than a margin allows.

Given the failures of a minute, how they split between the arms does not depend on how often the
baseline fails. So each minute is compared only with itself: a shared outage is evidence of nothing.
Each alternative's product of likelihood ratios, and hence their average E, is a martingale while
the canary is within the margin, whenever one looks: P(E ever reaches 1/a) is at most a (Ville).
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple, TypeAlias

from rollout.analysis.dispersion import Past, Scatter
from rollout.analysis.grid import BIT, added, iterated, scaled
from rollout.analysis.split import Split

ADDED = iterated(1.25, 30, 10)
"""Alternatives as an excess in points, in multiples of the usual rate."""
TIMES = (2.0, 5.0, 12.0, 30.0)
"""Alternatives as a plain ratio beyond the margin."""
FROM_START = 0.55
"""The part of the stake that is laid at the start; the rest is laid when shares change."""

FAR = 600.0
"""Beyond it a floating-point number has no exponential."""
ROUNDING = 1e-6
_ALTERNATIVES = len(ADDED) + len(TIMES)
_ADDED_LESS_ONE = tuple(g - 1 for g in ADDED)
_TIMES = tuple((g, math.log2(g)) for g in TIMES)

_Ratio: TypeAlias = tuple[float, float]
"""Of an alternative: the ratio of the arms' rates, and its logarithm beyond the margin in bits."""


Counted: TypeAlias = tuple[float, float, float, float]
"""A minute's counts as `Split` has them; what is expected is no whole number."""


class Margin(NamedTuple):
    """What is allowed: so many times the baseline's rate, and so many points on top.

    The ratio is one of odds, which is the ratio of rates where failures are rare.
    """

    ratio: float = 1.0
    points: float = 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """The evidence after each minute, and the dispersion it was divided by."""

    ln_e: tuple[float, ...] = ()
    phi: tuple[float, ...] = ()

    @property
    def now(self) -> float:
        return self.ln_e[-1] if self.ln_e else 0.0

    @property
    def most(self) -> float:
        """The running maximum, from 1 : 1 on: evidence once reached is not unseen."""
        return max((0.0, *self.ln_e))


def weigh(
    minutes: Sequence[Split],
    past: Past,
    margin: Margin,
    restarts: Sequence[int | None],
    scatter: Scatter | None = None,
) -> Trace:
    """Weigh a trial; `restarts` are minute numbers, None for one that has not come.

    `scatter` is `Scatter(minutes, past)`, which other guards may have asked already.
    """
    known = scatter or Scatter(minutes, past)
    stake, seen, phi = _Stake(restarts), 0, known.phi(0)
    now, ln_e, phis = 0.0, list[float](), list[float]()
    for number, minute in enumerate(minutes):
        if minute.tells:
            stake.add(number, _steps(minute, margin, known.usual(seen)))
            seen += 1
            phi = known.phi(seen)
            now = stake.ln_e(phi)
        ln_e.append(now)
        phis.append(phi)
    return Trace(tuple(ln_e), tuple(phis))


class Reached(NamedTuple):
    now: float = 0.0
    most: float = 0.0


def reached(margin: Margin, restarts: Sequence[int | None], scatter: Scatter) -> Reached:
    """What `weigh` says of now and of the most, without what can be neither.

    Evidence is an average, which is at most its largest part, and the dispersion only divides it.
    """
    stake, now, most = _Stake(restarts), 0.0, 0.0
    for seen, (number, minute, usual) in enumerate(scatter.telling, 1):
        stake.add(number, _steps(minute, margin, usual))
        if seen == len(scatter) or stake.most > most:
            now = stake.ln_e(scatter.phi(seen))
            most = max(most, now)
    return Reached(now, most)


def may_reach(
    enough: float, margin: Margin, restarts: Sequence[int | None], scatter: Scatter
) -> bool:
    """Whether `reached(...).most` may be enough: whatever the dispersion is, it only divides."""
    if enough <= ROUNDING:
        return True  # as much as before the first minute
    stake = _Stake(restarts)
    for number, minute, usual in scatter.telling:
        stake.add(number, _steps(minute, margin, usual))
        if stake.most >= enough - ROUNDING:
            return True
    return False


Expected: TypeAlias = tuple[int, Sequence[tuple[float, Counted]]]
"""So many minutes alike, each of which may count this, with what probability."""


def foreseen(
    stretches: Sequence[Expected], margin: Margin, usual: float, phi: float, share_changes: int
) -> float:
    """The evidence when all minutes add what they are expected to; stretches differ in share."""
    begins = list(accumulate([minutes for minutes, _ in stretches], initial=0))[1:-1]
    starts = begins[:share_changes]
    stake = _Stake([*starts, *(None,) * (share_changes - len(starts))])
    for (minutes, each), number in zip(stretches, [0, *begins], strict=True):
        mean = [0.0] * _ALTERNATIVES
        for likely, minute in each:
            mean = added(mean, scaled(likely, _steps(minute, margin, usual)))
        stake.add(number, scaled(minutes, mean))
    return stake.ln_e(phi)


class _Stake:
    """The log-likelihood ratios since each start; on each start one part of the stake is laid."""

    def __init__(self, restarts: Sequence[int | None]) -> None:
        rest = (1 - FROM_START) / len(restarts) if restarts else 0.0
        starts = sorted(one for one in restarts if one is not None)
        self._waiting = [(0, FROM_START if restarts else 1.0), *((one, rest) for one in starts)]
        self._never = rest * (len(restarts) - len(starts))
        self._parts: list[float] = []
        self._sums: list[list[float]] = []

    def add(self, number: int, steps: Sequence[float]) -> None:
        while self._waiting and self._waiting[0][0] <= number:
            self._parts.append(self._waiting.pop(0)[1] / _ALTERNATIVES)
            self._sums.append([0.0] * _ALTERNATIVES)
        self._sums = [added(one, steps) for one in self._sums]

    @property
    def most(self) -> float:
        """The largest logarithm of any alternative; 0 where a part was not begun."""
        idle = [0.0] if self._waiting or self._never else []
        return max([*idle, *map(max, self._sums)])

    def ln_e(self, phi: float) -> float:
        """The logarithm of what all parts have become; one that has not begun is what it was."""
        logs = self._sums
        if phi > 1:
            logs = [scaled(1 / phi, one) for one in logs]
        idle = self._never + sum([part for _, part in self._waiting])
        top = max([*map(max, logs), *([0.0] if idle else [])])
        if abs(top) > FAR:
            logs = [[each - top for each in one] for one in logs]
        else:
            top = 0.0
        parts = [
            part * sum(map(math.exp, one)) for part, one in zip(self._parts, logs, strict=True)
        ]
        if idle:
            parts.append(idle * math.exp(-top))
        return top + math.log(sum(parts))


def _steps(minute: Counted, margin: Margin, usual: float) -> Sequence[float]:
    """What one minute adds to each alternative's log-likelihood ratio against the margin."""
    canary, canary_bad, baseline, baseline_bad = map(float, minute)  # mixed with ints it is slow
    bad, requests, log2 = canary_bad + baseline_bad, canary + baseline, math.log2
    share, rate = canary / requests, bad / requests
    if rate - share * margin.points <= usual:
        null, ratios = _where_rare(margin, usual)
    else:
        null, ratios = _where_many(margin, usual, share, rate)
    under_null = canary * null + baseline
    of_canary, of_baseline = canary / under_null, baseline / under_null
    most, bits = bad * BIT, canary_bad * BIT
    return [bits * own - most * log2(of_canary * psi + of_baseline) for psi, own in ratios]


def _where_many(
    margin: Margin, usual: float, share: float, rate: float
) -> tuple[float, Sequence[_Ratio]]:
    """Where more than usual fail the excess is taken from what is left to the baseline."""
    ratio, points = margin
    left, fewer = rate - share * points, share * usual
    null = ratio + points / left
    rare = bisect_left(_ADDED_LESS_ONE, (left - usual) / fewer)
    psis = [null + more * usual / (left - more * fewer) for more in _ADDED_LESS_ONE[:rare]]
    psis += [null + more for more in _ADDED_LESS_ONE[rare:]]
    return null, _ratios(null, psis)


@lru_cache(maxsize=64)
def _where_rare(margin: Margin, usual: float) -> tuple[float, Sequence[_Ratio]]:
    """Where no more than usual fail the alternatives hang on nothing that a minute counts."""
    null = margin.ratio + margin.points / usual
    return null, _ratios(null, [null + more for more in _ADDED_LESS_ONE])


def _ratios(null: float, psis: Sequence[float]) -> Sequence[_Ratio]:
    log2 = math.log2
    return [*[(psi, log2(psi / null)) for psi in psis], *[(g * null, bit) for g, bit in _TIMES]]
