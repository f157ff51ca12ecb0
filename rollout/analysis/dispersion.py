"""How much more than independent failures the failures scatter: the divisor of all evidence.

Failures come in clusters (one bad host, one bad client), and a test that takes them for independent
sees ghosts. The dispersion phi is learnt from the baseline's history and again during the trial.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from statistics import fmean, median
from typing import NamedTuple, TypeAlias

from rollout.analysis.grid import BIT, added, geometric, scaled
from rollout.analysis.split import Split

PHI_MAX = 15.0
PHI_NOTICED = 1.35
PRIOR_MINUTES = 6
VARIANCE_LEAST = 0.15
REMEMBERED = 256
"""Minutes whose terms are kept: the rates of one look share them."""
FIT = geometric(0.05, 200, 41)
_FIT_BITS = tuple(math.log2(g) for g in FIT)
_EXCESS = tuple(g - 1 for g in FIT)
_PENALTIES = tuple(BIT * u * u / 8 for u in _FIT_BITS)

_Past: TypeAlias = tuple[int, int] | None


class Past(NamedTuple):
    """What the baseline's history says: its usual rate (None: no history) and dispersion."""

    rate: float | None = None
    phi: float = 1.0


def learn(history: Sequence[tuple[int, int]]) -> Past:
    """Read minutes of (requests, bad answers); minutes of an outage are left out."""
    kept = _without_outages(history)
    there = [one for one in kept if one]
    if not there:
        return Past()
    requests, bad = sum(n for n, _ in there), sum(x for _, x in there)
    errors = [one and one[1] - one[0] * bad / requests for one in kept]
    return Past((bad + 0.5) / (requests + 1), _phi_of(errors, bad))


def _without_outages(history: Sequence[tuple[int, int]]) -> list[_Past]:
    """A minute is an outage at ten times the median rate and 20 failures; it becomes None."""
    counted = [(n, x) for n, x in history if n > 0]
    if not counted:
        return []
    usual = (median(x for _, x in counted) + 1) / median(n for n, _ in counted)
    return [None if n <= 0 or (x >= 20 and x / n > 10 * usual) else (n, x) for n, x in history]


def _phi_of(errors: Sequence[float | None], bad: int) -> float:
    """Scatter about the mean, less what drifts slowly, over what independence would give."""
    kept = sum(error is not None for error in errors)
    at_once, next_, after = (_covariance(errors, lag) for lag in range(3))
    scatter = at_once - max(0.0, 2 * next_ - after)
    phi = min(PHI_MAX, max(1.0, (scatter * kept + 2) / (bad + 2)))
    return phi if phi >= PHI_NOTICED and bad > 0.5 else 1.0


def _covariance(errors: Sequence[float | None], lag: int) -> float:
    pairs = [
        now * before
        for now, before in zip(errors[lag:], errors, strict=False)
        if now is not None and before is not None
    ]
    return fmean(pairs) if pairs else 0.0


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


class Scatter:
    """The dispersion during a trial, after each minute that tells, about what fits best by then.

    A ratio is fitted so that a bad canary's own excess is not taken for scatter. It is the best of
    two grids: an excess in points, and a plain multiple. What is not asked for is not reckoned.
    """

    def __init__(self, minutes: Sequence[Split], past: Past) -> None:
        self._prior = past.phi
        self._minutes: list[tuple[Split, float]] = []
        usual = _Usual(past)
        self._numbers: list[int] = []
        for number, minute in enumerate(minutes):
            if minute.tells:
                self._numbers.append(number)
                self._minutes.append((minute, usual.rate(minute)))
            usual.add(minute)
        self._begin()
        self._surprises: dict[_Fit, list[float]] = {}
        self._phis = {0: max(1.0, past.phi)}

    def _begin(self) -> None:
        self._seen, self._points, self._times = 0, _NO_SCORES, _NO_SCORES

    def __len__(self) -> int:
        """How many minutes tell."""
        return len(self._minutes)

    @property
    def telling(self) -> Iterable[tuple[int, Split, float]]:
        """The minutes that tell: number, counts, and the usual rate each is held to."""
        return ((number, *one) for number, one in zip(self._numbers, self._minutes, strict=True))

    def usual(self, place: int) -> float:
        """The baseline's usual rate that the minute at this place is held to."""
        return self._minutes[place][1]

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
        weight = PRIOR_MINUTES + seen - 1
        scatter = PRIOR_MINUTES * self._prior + self._surprise(self._best(seen), seen)
        return max(1.0, scatter / weight)

    def _best(self, seen: int) -> "_Fit":
        """What fits best; of equals the first, and an excess in points before a multiple."""
        for minute, usual in self._minutes[self._seen : seen]:
            points, times = _scores(minute, usual)
            self._points, self._times = added(self._points, points), added(self._times, times)
        self._seen = seen
        most, most_times = max(self._points), max(self._times)
        if most_times > most:
            return _Fit(self._times.index(most_times), is_times=True)
        return _Fit(self._points.index(most), is_times=False)

    def _surprise(self, fit: "_Fit", seen: int) -> float:
        """The sum of the minutes' surprises about one fit."""
        sums = self._surprises.setdefault(fit, [0.0])
        for minute, usual in self._minutes[len(sums) - 1 : seen]:
            sums.append(sums[-1] + _surprise(minute, fit.psi(minute, usual)))
        return sums[seen]


_NO_SCORES: Sequence[float] = [-penalty for penalty in _PENALTIES]


class _Fit(NamedTuple):
    """A place on one of the two grids."""

    place: int
    is_times: bool

    def psi(self, minute: Split, usual: float) -> float:
        """The ratio of the arms' rates in a minute."""
        if self.is_times:
            return FIT[self.place]
        extra = _EXCESS[self.place] * usual
        requests = minute.canary + minute.baseline
        return 1 + extra / max(usual, (minute.bad - minute.canary * extra) / requests)


def _scores(minute: Split, usual: float) -> tuple[Sequence[float], Sequence[float]]:
    """How well each excess in points, and each multiple, explains who failed in a minute, in bits.

    An excess in points leaves the rest of the failures to the baseline. Where that would be less
    than usual it is a multiple of the usual rate, and explains the minute as that multiple does.
    """
    canary, canary_bad, baseline, baseline_bad = map(float, minute)  # mixed with ints it is slow
    bad, requests = canary_bad + baseline_bad, canary + baseline
    times = scaled(-bad, _pooled(canary, baseline))
    if canary_bad:
        times = added(times, _own(canary_bad))
    share, rate = canary / requests, bad / requests
    excesses = _EXCESS[: bisect_left(_EXCESS, (rate - usual) / (share * usual))]
    if not excesses:
        return times, times
    whole, part = 1 / requests, share * usual / bad
    points = scaled(baseline_bad, map(math.log2, [whole - part * each for each in excesses]))
    if canary_bad:
        part = usual / bad - part
        own = map(math.log2, [whole + part * each for each in excesses])
        points = added(points, scaled(canary_bad, own))
    return points + times[len(points) :], times


@lru_cache(maxsize=REMEMBERED)
def _pooled(canary: float, baseline: float) -> Sequence[float]:
    """What all rates of a minute share, in bits."""
    return tuple(map(math.log2, [canary * g + baseline for g in FIT]))


@lru_cache(maxsize=64)
def _own(canary_bad: float) -> Sequence[float]:
    return scaled(canary_bad, _FIT_BITS)


def _surprise(minute: Split, psi: float) -> float:
    """The squared error of the canary's part of the failures, in expected variances."""
    part = minute.canary * psi / (minute.canary * psi + minute.baseline)
    error = minute.canary_bad - minute.bad * part
    return error * error / max(minute.bad * part * (1 - part), VARIANCE_LEAST)
