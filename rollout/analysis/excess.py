"""Evidence that the canary fails more often than the baseline by more than a margin allows.

Given the failures of a minute, how they split between the arms does not depend on how often the
baseline fails. So each minute is compared only with itself: a shared outage is evidence of nothing.
Each alternative's product of likelihood ratios, and hence their average E, is a martingale while
the canary is within the margin, whenever one looks: P(E ever reaches 1/a) is at most a (Ville).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rollout.analysis.dispersion import Past, Scatter
from rollout.analysis.grid import iterated, log_mean, log_sum
from rollout.analysis.split import Split

ADDED = iterated(1.25, 30, 10)
"""Alternatives as an excess in points, in multiples of the usual rate."""
TIMES = (2.0, 5.0, 12.0, 30.0)
"""Alternatives as a plain ratio beyond the margin."""
FROM_START = 0.55
"""The part of the stake that is laid at the start; the rest is laid when shares change."""

_ALTERNATIVES = len(ADDED) + len(TIMES)
_TIMES_LOGS = tuple(math.log(g) for g in TIMES)


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
        """The running maximum: evidence once reached is not unseen."""
        return max(self.ln_e, default=0.0)


def weigh(
    minutes: Sequence[Split], past: Past, margin: Margin, restarts: Sequence[int | None]
) -> Trace:
    """Weigh a trial; `restarts` are minute numbers, None for one that has not come."""
    scatter, usual = Scatter(past.phi), _Usual(past)
    sums: list[_Sums] = [_Sums(0, FROM_START)]
    part = (1 - FROM_START) / len(restarts) if restarts else 0.0
    sums += [_Sums(start, part) for start in restarts]
    ln_e, phis = list[float](), list[float]()
    for number, minute in enumerate(minutes):
        if minute.tells:
            rate = usual.rate(minute)
            scatter.add(minute, rate)
            steps = _steps(minute, margin, rate)
            for one in sums:
                one.add(number, steps)
        usual.add(minute)
        if minute.tells or not phis:
            phi = scatter.phi
            now = log_sum([one.log(phi) for one in sums]) - math.log(sum(one.part for one in sums))
        ln_e.append(now)
        phis.append(phi)
    return Trace(tuple(ln_e), tuple(phis))


class _Sums:
    """The log-likelihood ratios since one start, on which one part of the stake is laid."""

    def __init__(self, start: int | None, part: float) -> None:
        self.part = part
        self._start = start
        self._sums = [0.0] * _ALTERNATIVES

    def add(self, number: int, steps: Sequence[float]) -> None:
        if self._start is not None and number >= self._start:
            self._sums = [a + b for a, b in zip(self._sums, steps, strict=True)]

    def log(self, phi: float) -> float:
        if not any(self._sums):
            return math.log(self.part)
        return math.log(self.part) + log_mean([one / phi for one in self._sums])


class _Usual:
    """The baseline's usual rate; without history, from the minutes before and this one's pool."""

    def __init__(self, past: Past) -> None:
        self._known = past.rate
        self._requests = 0
        self._bad = 0

    def rate(self, minute: Split) -> float:
        if self._known is not None:
            return self._known
        requests = self._requests + minute.canary + minute.baseline
        return (self._bad + minute.bad + 0.5) / (requests + 1)

    def add(self, minute: Split) -> None:
        self._requests += minute.baseline
        self._bad += minute.baseline_bad


def _steps(minute: Split, margin: Margin, usual: float) -> list[float]:
    """What one minute adds to each alternative's log-likelihood ratio against the margin."""
    canary, canary_bad, baseline, _ = minute
    bad, requests = minute.bad, canary + baseline
    share, rate = canary / requests, minute.bad / requests
    null = margin.ratio + margin.points / max(rate - share * margin.points, usual)
    under_null = bad * math.log(canary * null + baseline)
    extras = [(g - 1) * usual for g in ADDED]
    psis = [null + extra / max(rate - share * (margin.points + extra), usual) for extra in extras]
    psis += [g * null for g in TIMES]
    logs = [*(math.log(psi / null) for psi in psis[: len(ADDED)]), *_TIMES_LOGS]
    return [
        canary_bad * log - bad * math.log(canary * psi + baseline) + under_null
        for log, psi in zip(logs, psis, strict=True)
    ]
