"""How much more than independent failures the failures scatter: the divisor of all evidence.

Failures come in clusters (one bad host, one bad client), and a test that takes them for independent
sees ghosts. The dispersion phi is learnt from the baseline's history and again during the trial.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from statistics import median
from typing import NamedTuple, TypeAlias

from rollout.analysis.grid import BIT, added, geometric, scaled
from rollout.analysis.likeness import blended, worth
from rollout.analysis.split import Split

PHI_MAX = 15.0
PHI_NOTICED = 1.35
VARIANCE_LEAST = 0.15
REMEMBERED = 256
"""Minutes whose terms are kept: the rates of one look share them."""
HISTORIES = 32
"""Histories whose lessons are kept: the guards and the looks of a rollout share them."""
FIT = geometric(0.05, 200, 41)
_FIT_BITS = tuple(math.log2(g) for g in FIT)
_EXCESS = tuple(g - 1 for g in FIT)
_PENALTIES = tuple(BIT * u * u / 8 for u in _FIT_BITS)

_Past: TypeAlias = tuple[int, int] | None


class Past(NamedTuple):
    """What the baseline's history says: its usual rate (None: no history) and dispersion.

    `phi` takes a small dispersion for none. `measured` is what was counted, and `minutes` says how
    many of a trial's minutes that is worth; 0: nothing was, and `phi` stands for it.
    """

    rate: float | None = None
    phi: float = 1.0
    measured: float = 1.0
    minutes: float = 0.0


def learn(history: Sequence[tuple[int, int]]) -> Past:
    """Read minutes of (requests, bad answers); minutes of an outage are left out.

    A rollout's history is the same at all its looks, so what it says is remembered.
    """
    return _learnt(tuple(history))


@lru_cache(maxsize=HISTORIES)
def _learnt(history: tuple[tuple[int, int], ...]) -> Past:
    kept = _without_outages(history)
    there = [one for one in kept if one]
    if not there:
        return Past()
    requests, bad = map(sum, zip(*there, strict=True))
    rate = bad / requests
    errors = [one and one[1] - one[0] * rate for one in kept]
    phi = _phi_of(errors, bad) if bad else 1.0
    known = worth([one for one in errors if one is not None], bad / phi)
    noticed = phi if phi >= PHI_NOTICED else 1.0
    return Past((bad + 0.5) / (requests + 1), noticed, phi, known)


def _without_outages(history: Sequence[tuple[int, int]]) -> list[_Past]:
    """A minute is an outage at ten times the median rate and 20 failures; it becomes None."""
    counted = [one for one in history if one[0] > 0]
    if not counted:
        return []
    requests, bad = zip(*counted, strict=True)
    most = 10 * (median(bad) + 1) / median(requests)
    return [None if n <= 0 or (x >= 20 and x / n > most) else (n, x) for n, x in history]


def _phi_of(errors: Sequence[float | None], bad: int) -> float:
    """Scatter about the mean, less what drifts slowly, over what independence would give."""
    kept = len(errors) - errors.count(None)
    at_once, next_, after = (_covariance(errors, lag) for lag in range(3))
    scatter = at_once - max(0.0, 2 * next_ - after)
    return min(PHI_MAX, max(1.0, (scatter * kept + 2) / (bad + 2)))


def _covariance(errors: Sequence[float | None], lag: int) -> float:
    pairs = [
        now * before
        for now, before in zip(errors[lag:], errors, strict=False)
        if now is not None and before is not None
    ]
    return math.fsum(pairs) / len(pairs) if pairs else 0.0


def _telling(minutes: Sequence[Split], past: Past) -> list[tuple[int, Split, float]]:
    """The minutes that tell: number, counts, and the baseline's usual rate.

    Without history that comes from the minutes before and this one's pool.
    """
    telling = [(number, one) for number, one in enumerate(minutes) if one.tells]
    if past.rate is not None:
        return [(number, one, past.rate) for number, one in telling]
    requests = [0, *accumulate([one.baseline for one in minutes])]
    bad = [0, *accumulate([one.baseline_bad for one in minutes])]
    pools = [requests[number] + one.canary + one.baseline for number, one in telling]
    return [
        (number, one, (bad[number] + one.bad + 0.5) / (pool + 1))
        for (number, one), pool in zip(telling, pools, strict=True)
    ]


class Scatter:
    """The dispersion during a trial, after each minute that tells, about what fits best by then.

    A ratio is fitted so that a bad canary's own excess is not taken for scatter. It is the best of
    two grids: an excess in points, and a plain multiple. What is not asked for is not reckoned.
    """

    def __init__(self, minutes: Sequence[Split], past: Past) -> None:
        self._past = past if past.minutes else past._replace(measured=past.phi)
        self._minutes = _telling(minutes, past)
        self._begin()
        self._surprises: dict[_Fit, list[float]] = {}
        self._phis = {0: max(1.0, self._past.measured)}

    def _begin(self) -> None:
        self._seen, self._scores = 0, _Scores()

    def __len__(self) -> int:
        """How many minutes tell."""
        return len(self._minutes)

    @property
    def telling(self) -> Sequence[tuple[int, Split, float]]:
        """The minutes that tell: number, counts, and the usual rate each is held to."""
        return self._minutes

    def usual(self, place: int) -> float:
        """The baseline's usual rate that the minute at this place is held to."""
        return self._minutes[place][2]

    def phi(self, seen: int) -> float:
        """The dispersion after so many minutes that tell."""
        if seen < self._seen and seen not in self._phis:  # skipped, and asked for all the same
            last = self._seen
            self._begin()
            for each in range(1, last + 1):
                self._phis[each] = self._reckoned(each)
        elif seen not in self._phis:
            self._phis[seen] = self._reckoned(seen)
        return self._phis[seen]

    def _reckoned(self, seen: int) -> float:
        surprise = self._surprise(self._best(seen), seen)
        return blended(self._past.measured, self._past.minutes, surprise, seen - 1)

    def _best(self, seen: int) -> "_Fit":
        """What fits best; of equals the first, and an excess in points before a multiple."""
        for _, minute, usual in self._minutes[self._seen : seen]:
            self._scores.add(minute, usual)
        self._seen = seen
        points, times = self._scores.of_both()
        most, most_times = max(points), max(times)
        if most_times > most:
            return _Fit(times.index(most_times), is_times=True)
        return _Fit(points.index(most), is_times=False)

    def _surprise(self, fit: "_Fit", seen: int) -> float:
        """The sum of the minutes' surprises about one fit."""
        sums = self._surprises.setdefault(fit, [0.0])
        last = sums[-1]
        for _, minute, usual in self._minutes[len(sums) - 1 : seen]:
            last += _surprise(minute, fit, usual)
            sums.append(last)
        return sums[seen]


class _Fit(NamedTuple):
    """A place on one of the two grids."""

    place: int
    is_times: bool

    def psi(self, canary: int, requests: int, bad: int, usual: float) -> float:
        """The ratio of the arms' rates in a minute."""
        if self.is_times:
            return FIT[self.place]
        extra = _EXCESS[self.place] * usual
        return 1 + extra / max(usual, (bad - canary * extra) / requests)


class _Scores:
    """How well each excess in points, and each multiple, explains who failed so far, in bits.

    An excess in points leaves the rest of the failures to the baseline. Where that would be less
    than usual it is a multiple of the usual rate, and explains the minute as that multiple does: so
    only what it explains better or worse is kept of it.
    """

    def __init__(self) -> None:
        self._canary_bad = 0.0
        self._pooled = [-penalty for penalty in _PENALTIES]
        self._better = [0.0] * len(FIT)

    def of_both(self) -> tuple[list[float], list[float]]:
        """Those of an excess in points, and those of a multiple."""
        times = added(self._pooled, scaled(self._canary_bad, _FIT_BITS))
        return added(times, self._better), times

    def add(self, minute: Split, usual: float) -> None:
        canary, canary_bad, baseline, baseline_bad = map(float, minute)  # with ints it is slow
        bad, requests = canary_bad + baseline_bad, canary + baseline
        pooled = _pooled(canary, baseline)
        self._canary_bad += canary_bad
        self._pooled = [one - bad * more for one, more in zip(self._pooled, pooled, strict=True)]
        share, rate = canary / requests, bad / requests
        excesses = _EXCESS[: bisect_left(_EXCESS, (rate - usual) / (share * usual))]
        if not excesses:
            return
        whole, part, log2 = 1 / requests, share * usual / bad, math.log2
        own = usual / bad - part
        better = [
            baseline_bad * log2(whole - part * each)
            + canary_bad * (log2(whole + own * each) - bits)
            + bad * of_both
            for each, bits, of_both in zip(excesses, _FIT_BITS, pooled, strict=False)
        ]
        self._better[: len(better)] = added(self._better, better)


@lru_cache(maxsize=REMEMBERED)
def _pooled(canary: float, baseline: float) -> Sequence[float]:
    """What all rates of a minute share, in bits."""
    return tuple(map(math.log2, [canary * g + baseline for g in FIT]))


def _surprise(minute: Split, fit: _Fit, usual: float) -> float:
    """The squared error of the canary's part of the failures, in expected variances."""
    canary, canary_bad, baseline, baseline_bad = minute
    bad = canary_bad + baseline_bad
    psi = fit.psi(canary, canary + baseline, bad, usual)
    part = canary * psi / (canary * psi + baseline)
    error = canary_bad - bad * part
    return error * error / max(bad * part * (1 - part), VARIANCE_LEAST)
