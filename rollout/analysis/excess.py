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

from rollout.analysis.dispersion import Look, Past, scattered
from rollout.analysis.grid import iterated, log_mean, log_sum
from rollout.analysis.split import Split

ADDED = iterated(1.25, 30, 10)
"""Alternatives as an excess in points, in multiples of the usual rate."""
TIMES = (2.0, 5.0, 12.0, 30.0)
"""Alternatives as a plain ratio beyond the margin."""
FROM_START = 0.55
"""The part of the stake that is laid at the start; the rest is laid when shares change."""

_ALTERNATIVES = len(ADDED) + len(TIMES)
_ADDED_LESS_ONE = tuple(g - 1 for g in ADDED)
_TIMES_AND_LOGS = tuple((g, math.log(g)) for g in TIMES)


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
    minutes: Sequence[Split],
    past: Past,
    margin: Margin,
    restarts: Sequence[int | None],
    looks: Sequence[Look] | None = None,
) -> Trace:
    """Weigh a trial; `restarts` are minute numbers, None for one that has not come.

    `looks` are `scattered(minutes, past)`, which other guards may have asked for already.
    """
    known = iter(scattered(minutes, past) if looks is None else looks)
    sums: list[_Sums] = [_Sums(0, FROM_START)]
    part = (1 - FROM_START) / len(restarts) if restarts else 0.0
    sums += [_Sums(start, part) for start in restarts]
    whole = math.log(sum(one.part for one in sums))
    phi = max(1.0, past.phi)
    now = log_sum([one.log(phi) for one in sums]) - whole
    ln_e, phis = list[float](), list[float]()
    for number, minute in enumerate(minutes):
        if minute.tells:
            usual, phi = next(known)
            steps = _steps(minute, margin, usual)
            for one in sums:
                one.add(number, steps)
            now = log_sum([one.log(phi) for one in sums]) - whole
        ln_e.append(now)
        phis.append(phi)
    return Trace(tuple(ln_e), tuple(phis))


class _Sums:
    """The log-likelihood ratios since one start, on which one part of the stake is laid."""

    def __init__(self, start: int | None, part: float) -> None:
        self.part = part
        self._log_part = math.log(part)
        self._start = start
        self._sums: list[float] | None = None

    def add(self, number: int, steps: Sequence[float]) -> None:
        if self._start is None or number < self._start:
            return
        known = self._sums or _NOTHING
        self._sums = [a + b for a, b in zip(known, steps, strict=True)]

    def log(self, phi: float) -> float:
        if self._sums is None:
            return self._log_part
        return self._log_part + log_mean([one / phi for one in self._sums])


_NOTHING = (0.0,) * _ALTERNATIVES


def _steps(minute: Split, margin: Margin, usual: float) -> list[float]:
    """What one minute adds to each alternative's log-likelihood ratio against the margin."""
    log, (ratio, points), (canary, canary_bad, baseline, baseline_bad) = math.log, margin, minute
    bad, requests = canary_bad + baseline_bad, canary + baseline
    share, rate = canary / requests, bad / requests
    null = ratio + points / max(rate - share * points, usual)
    under_null = bad * log(canary * null + baseline)
    steps = []
    for multiple in _ADDED_LESS_ONE:
        extra = multiple * usual
        rest = rate - share * (points + extra)
        least = usual if usual > rest else rest  # noqa: FURB136 - a call costs more
        psi = null + extra / least
        steps.append(canary_bad * log(psi / null) - bad * log(canary * psi + baseline) + under_null)
    for g, own in _TIMES_AND_LOGS:
        steps.append(canary_bad * own - bad * log(canary * (g * null) + baseline) + under_null)
    return steps
