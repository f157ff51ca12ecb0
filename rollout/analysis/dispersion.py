"""How much more than independent failures the failures scatter: the divisor of all evidence.

Failures come in clusters (one bad host, one bad client), and a test that takes them for independent
sees ghosts. The dispersion phi is learnt from the baseline's history and again during the trial.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import fmean, median
from typing import NamedTuple, TypeAlias

from rollout.analysis.grid import geometric
from rollout.analysis.split import Split

PHI_MAX = 15.0
PHI_NOTICED = 1.35
PRIOR_MINUTES = 6
VARIANCE_LEAST = 0.15
FIT = geometric(0.05, 200, 41)
_FIT_LOGS = tuple(math.log(g) for g in FIT)
_EXCESS = tuple(g - 1 for g in FIT)
_PENALTIES = tuple(u * u / 8 for u in _FIT_LOGS)

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


class Look(NamedTuple):
    """What is known after a minute that tells: the usual rate it is held to, and the dispersion."""

    usual: float
    phi: float


def scattered(minutes: Sequence[Split], past: Past) -> list[Look]:
    """One look for each minute of a trial that tells."""
    scatter, usual, looks = Scatter(past.phi), _Usual(past), list[Look]()
    for minute in minutes:
        if minute.tells:
            rate = usual.rate(minute)
            scatter.add(minute, rate)
            looks.append(Look(rate, scatter.phi))
        usual.add(minute)
    return looks


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


class _Kept(NamedTuple):
    """A minute as the fit needs it."""

    canary: int
    canary_bad: int
    baseline: int
    bad: int


class Scatter:
    """The dispersion seen so far in a trial, about the ratio that fits it best.

    The ratio is fitted so that a bad canary's own excess is not taken for scatter. It is the best
    of two grids: an excess in points, and a plain multiple. The score of a multiple is concave in
    its logarithm, so the best is found by climbing from the last one; what is not climbed over is
    never reckoned.
    """

    def __init__(self, prior: float) -> None:
        self._prior = prior
        self._minutes: list[_Kept] = []
        self._added_psis: list[list[float]] = []
        self._added = [-penalty for penalty in _PENALTIES]
        self._times = [-penalty for penalty in _PENALTIES]
        self._reckoned = [0] * len(FIT)
        self._times_best = len(FIT) // 2
        self._about: tuple[bool, int] | None = None  # what fitted best at the last look
        self._seen: list[float] = []  # each minute's surprise about it

    def add(self, minute: Split, usual: float) -> None:
        """Take one more minute that tells; `usual` is the baseline's usual rate."""
        canary, canary_bad, baseline, baseline_bad = minute
        bad, log = canary_bad + baseline_bad, math.log
        psis = _added(minute, usual)
        self._added = [
            score + canary_bad * log(psi) - bad * log(canary * psi + baseline)
            for score, psi in zip(self._added, psis, strict=True)
        ]
        self._added_psis.append(psis)
        self._minutes.append(_Kept(canary, canary_bad, baseline, bad))
        self._times_best = self._climbed(self._times_best)

    def _climbed(self, best: int) -> int:
        """The multiple with the highest score; of equal ones the first."""
        while best and self._score(best - 1) >= self._score(best):
            best -= 1
        while best + 1 < len(FIT) and self._score(best + 1) > self._score(best):
            best += 1
        return best

    def _score(self, one: int) -> float:
        """The score of a multiple, with the minutes that were not reckoned yet."""
        if self._reckoned[one] < len(self._minutes):
            psi, own, log, score = FIT[one], _FIT_LOGS[one], math.log, self._times[one]
            for canary, canary_bad, baseline, bad in self._minutes[self._reckoned[one] :]:
                score = score + canary_bad * own - bad * log(canary * psi + baseline)
            self._times[one], self._reckoned[one] = score, len(self._minutes)
        return self._times[one]

    @property
    def phi(self) -> float:
        if not self._minutes:
            return max(1.0, self._prior)
        top = max(self._added)
        is_times = self._score(self._times_best) > top
        best = (is_times, self._times_best if is_times else self._added.index(top))
        if best != self._about:
            self._about, self._seen = best, []
        for at in range(len(self._seen), len(self._minutes)):
            psi = FIT[best[1]] if is_times else self._added_psis[at][best[1]]
            self._seen.append(_surprise(self._minutes[at], psi))
        weight = PRIOR_MINUTES + len(self._minutes) - 1
        return max(1.0, (PRIOR_MINUTES * self._prior + sum(self._seen)) / weight)


def _added(minute: Split, usual: float) -> list[float]:
    """Ratios of this minute if the canary's excess is a number of points, not a multiple."""
    canary, canary_bad, baseline, baseline_bad = minute
    requests = canary + baseline
    share, rate = canary / requests, (canary_bad + baseline_bad) / requests
    return [  # what is left for the baseline, and not less than usual
        1 + extra / (usual if usual > (rest := rate - share * extra) else rest)
        for extra in _extras(usual)
    ]


@lru_cache(maxsize=64)
def _extras(usual: float) -> tuple[float, ...]:
    return tuple(multiple * usual for multiple in _EXCESS)


def _surprise(minute: _Kept, psi: float) -> float:
    """The squared error of the canary's part of the failures, in expected variances."""
    canary, canary_bad, baseline, bad = minute
    part = canary * psi / (canary * psi + baseline)
    error = canary_bad - bad * part
    return error * error / max(bad * part * (1 - part), VARIANCE_LEAST)
