"""How much more than independent failures the failures scatter: the divisor of all evidence.

Failures come in clusters (one bad host, one bad client), and a test that takes them for independent
sees ghosts. The dispersion phi is learnt from the baseline's history and again during the trial.
"""

import math
from collections.abc import Sequence
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
_PENALTIES = tuple(u * u / 8 for u in _FIT_LOGS) * 2

_Kept: TypeAlias = tuple[int, int] | None


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


def _without_outages(history: Sequence[tuple[int, int]]) -> list[_Kept]:
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


class Scatter:
    """The dispersion seen so far in a trial, about the ratio that fits it best.

    The ratio is fitted so that a bad canary's own excess is not taken for scatter.
    """

    def __init__(self, prior: float) -> None:
        self._prior = prior
        self._scores = [-penalty for penalty in _PENALTIES]
        self._minutes: list[tuple[Split, list[float]]] = []
        self._about = -1  # the alternative that fitted best at the last look
        self._seen: list[float] = []  # each minute's surprise about it

    def add(self, minute: Split, usual: float) -> None:
        """Take one more minute that tells; `usual` is the baseline's usual rate."""
        added, log = _added(minute, usual), math.log
        psis = [*added, *FIT]
        logs = [*map(log, added), *_FIT_LOGS]
        canary, canary_bad, baseline, _ = minute
        bad = minute.bad
        self._scores = [
            score + canary_bad * own - bad * log(canary * psi + baseline)
            for score, own, psi in zip(self._scores, logs, psis, strict=True)
        ]
        self._minutes.append((minute, psis))

    @property
    def phi(self) -> float:
        if not self._minutes:
            return max(1.0, self._prior)
        best = self._scores.index(max(self._scores))
        if best != self._about:
            self._about, self._seen = best, []
        for minute, psis in self._minutes[len(self._seen) :]:
            self._seen.append(_surprise(minute, psis[best]))
        weight = PRIOR_MINUTES + len(self._minutes) - 1
        return max(1.0, (PRIOR_MINUTES * self._prior + sum(self._seen)) / weight)


def _added(minute: Split, usual: float) -> list[float]:
    """Ratios of this minute if the canary's excess is a number of points, not a multiple."""
    requests = minute.canary + minute.baseline
    share, rate = minute.canary / requests, minute.bad / requests
    psis = list[float]()
    for g in FIT:
        extra = (g - 1) * usual
        rest = rate - share * extra  # what is left for the baseline
        psis.append(1 + extra / (max(usual, rest)))
    return psis


def _surprise(minute: Split, psi: float) -> float:
    """The squared error of the canary's part of the failures, in expected variances."""
    canary, canary_bad, baseline, baseline_bad = minute
    bad = canary_bad + baseline_bad
    part = canary * psi / (canary * psi + baseline)
    error = canary_bad - bad * part
    return error * error / max(bad * part * (1 - part), VARIANCE_LEAST)
