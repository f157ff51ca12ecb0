"""Evidence that the canary is slower than the baseline by more than a margin allows.

With histograms: given all durations of a minute (the baseline's made longer by the margin), each
belongs to the canary with a probability that is its share of the requests, unless the canary is
slower. This is exact against "not slower than the margin times the baseline, at any quantile".

With percentiles only: the logarithm of the ratio of the arms' percentiles is taken for normal, with
the variance a sample quantile of log-normal durations has. This is an approximation; it allows for
three percent of error that does not become less with more requests.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from operator import attrgetter
from statistics import NormalDist
from typing import NamedTuple

from rollout.analysis.excess import Trace
from rollout.analysis.grid import log_mean
from rollout.analysis.likeness import PRIOR_MINUTES
from rollout.analysis.report import Arm, Metric
from rollout.analysis.samples import Counts, Latency

BIN = 1.1
"""Each bin of a histogram is so many times as slow as the one below."""
FIRST_BIN_MS = 5.0

Bins = Mapping[int, int]

# -- histograms --------------------------------------------------------------------------------

TILTS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""The whole canary is slower by so many of the baseline's standard deviations."""
TAILS = ((0.9, 1.6), (0.99, 2.0), (0.99, 5.0), (0.999, 8.0))
"""Beyond this quantile the canary has so many times as many answers."""
QUANTILES = {
    Metric.LATENCY_P50: 0.5,
    Metric.LATENCY_P90: 0.9,
    Metric.LATENCY_P95: 0.95,
    Metric.LATENCY_P99: 0.99,
}


def quantile_ms(bins: Bins, quantile: float) -> float | None:
    """The duration below which this part of the answers lies, from a histogram."""
    wanted = quantile * sum(bins.values())
    seen = 0
    for k in sorted(bins):
        if bins[k] and seen + bins[k] >= wanted:
            return FIRST_BIN_MS * math.pow(BIN, k + (wanted - seen) / bins[k])
        seen += bins[k]
    return None


def mean_ms(bins: Bins) -> float | None:
    """The mean duration, from a histogram."""
    answers = sum(bins.values())
    if not answers:
        return None
    return sum(FIRST_BIN_MS * math.pow(BIN, k + 0.5) * n for k, n in bins.items()) / answers


def pooled(minutes: Iterable[Bins], metric: Metric) -> Arm:
    """An arm's quantile from all its minutes' histograms."""
    whole = sum((Counter(bins) for bins in minutes), Counter[int]())
    return Arm(whole.total(), quantile_ms(whole, QUANTILES[metric]))


def weigh_histograms(
    minutes: Sequence[tuple[Bins, Bins]], history: Sequence[Bins], ratio: float, metric: Metric
) -> Trace:
    """Weigh minutes of (canary, baseline) histograms; the margin is rounded up to whole bins.

    A p50 guard looks only at the whole, p90 at the slowest tenth too, p95 and p99 at all tails.
    """
    shift = math.ceil(math.log(ratio) / math.log(BIN) - 1e-9)
    tails = [tail for tail in TAILS if tail[0] <= _TAILS_TO[metric]]
    past = sum((Counter(bins) for bins in history), Counter[int]())
    sums, ln_e = [0.0] * (len(TILTS) + len(tails)), list[float]()
    for canary, baseline in minutes:
        if past.total():
            densities = _densities(past, shift, tails)
            pooled = Counter(canary)
            pooled.update({k + shift: n for k, n in baseline.items()})
            sums = [
                one + _allotted(canary, pooled, density)
                for one, density in zip(sums, densities, strict=True)
            ]
        past.update(baseline)
        ln_e.append(log_mean(sums))
    return Trace(tuple(ln_e), (1.0,) * len(ln_e))


_TAILS_TO = {
    Metric.LATENCY_P50: 0.0,
    Metric.LATENCY_P90: 0.9,
    Metric.LATENCY_P95: 0.999,
    Metric.LATENCY_P99: 0.999,
}

Density = Callable[[int], float]
"""How many times as likely an answer in a bin is the canary's, were it so much slower."""


def _densities(
    past: Counter[int], shift: int, tails: Sequence[tuple[float, float]]
) -> list[Density]:
    """The alternatives, all from the baseline's past and all increasing with the duration."""
    requests = past.total()
    mean = sum((k + 0.5) * n for k, n in past.items()) / requests
    variance = sum((k + 0.5 - mean) ** 2 * n for k, n in past.items()) / requests
    middle, deviation = mean + shift, max(0.5, math.sqrt(variance))
    return [
        *(partial(_tilted, middle, deviation, tilt) for tilt in TILTS),
        *(_tailed(past, shift, quantile, more) for quantile, more in tails),
    ]


def _tilted(middle: float, deviation: float, tilt: float, k: int) -> float:
    z = (k + 0.5 - middle) / deviation
    return math.exp(min(4.0, max(-3.0, tilt * z - tilt * tilt / 2)))


def _tailed(past: Counter[int], shift: int, quantile: float, more: float) -> Density:
    edge, tail = _edge(past, quantile)
    rest = max(0.05, (1 - tail * more) / (1 - tail))
    return lambda k: more if k >= edge + shift else rest


def _edge(past: Counter[int], quantile: float) -> tuple[int, float]:
    """The first bin beyond the quantile, and the part of the answers that lies there."""
    requests, above = past.total(), 0
    edge = max(past) + 1
    for k in sorted(past, reverse=True):
        if above + past[k] > (1 - quantile) * requests:
            break
        above += past[k]
        edge = k
    return edge, above / requests


def _allotted(canary: Bins, pooled: Counter[int], density: Density) -> float:
    """The log-likelihood ratio of which of the pooled answers are the canary's."""
    mine, all_ = sum(canary.values()), pooled.total()
    if not mine or mine == all_:
        return 0.0
    share = mine / all_
    found = sum(n * math.log(density(k)) for k, n in canary.items() if n)
    return found - sum(n * math.log1p(share * (density(k) - 1)) for k, n in pooled.items() if n)


# -- percentiles -------------------------------------------------------------------------------

SHIFTS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""The canary's logarithm is so much larger."""
INFLATED = 1.3
"""Durations are no perfect log-normal; the far tail still less."""
FLOOR = 0.03**2
SURPRISE_MAX = 3.0
REQUESTS_LEAST = 5
REQUESTS_TAIL = 30
REQUESTS_P99 = 150


class Heard(NamedTuple):
    """One arm's minute: how many answered, and their percentiles."""

    requests: int
    latency: Latency


def heard(counts: Counts | None) -> Heard | None:
    """An arm's minute that can be compared: some answers and a median."""
    if counts is None or counts.latency is None or not counts.latency.p50:
        return None
    requests = counts.requests
    return Heard(requests, counts.latency) if requests >= REQUESTS_LEAST else None


def weigh_percentiles(
    minutes: Sequence[tuple[Heard, Heard]], ratio: float, metric: Metric
) -> Trace:
    """Weigh minutes of (canary, baseline) percentiles.

    A minute with 30 answers in both arms speaks by the guard's own quantile, mixed with the median
    so that the variance is least; a thinner one by its median alone; p99 for itself from 150. What
    is neither now nor can be the most is left out: evidence is an average, which is at most its
    largest part, and the dispersion only divides it.
    """
    spread, shifts, allowed = _Spread(), [_Shifts(1)], math.log(ratio)
    if metric is Metric.LATENCY_P99:
        shifts.append(_Shifts(2))
    name = _BLENDED[metric]
    blend = _blend(name) if name else None
    ln_e, phis, most = list[float](), list[float](), 0.0
    for number, (canary, baseline) in enumerate(minutes, 1):
        pair = _Pair(canary, baseline, spread.add(baseline.latency), allowed)
        shifts[0].add(*pair.blended(blend))
        for far in shifts[1:]:
            far.add(*pair.tail())
        if number == len(minutes) or max([one.most for one in shifts]) > most:
            ln_e.append(log_mean([log for one in shifts for log in one.logs]))
            phis.append(shifts[0].phi)
            most = max(most, ln_e[-1])
    return Trace(tuple(ln_e), tuple(phis))


def beyond(minutes: Sequence[tuple[Latency, Latency]], ratio: float, metric: Metric) -> bool:
    """Whether any percentile that is weighed was beyond the margin in any minute."""
    names = {"p50", metric.removeprefix("latency_"), _BLENDED[metric] or "p50"}
    return any(
        (value(canary) or 0.0) > ratio * (value(baseline) or math.inf)
        for value in map(attrgetter, sorted(names))
        for canary, baseline in minutes
    )


_BLENDED = {
    Metric.LATENCY_P50: None,
    Metric.LATENCY_P90: "p90",
    Metric.LATENCY_P95: "p95",
    Metric.LATENCY_P99: "p90",
}
_LEVELS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


class _Shifts:
    """The log-likelihood ratios of the canary being slower by each shift.

    A minute counts at most three standard deviations, so that none decides alone. How much more
    than expected the minutes differ from one another divides the evidence: where a quantile lies
    between two modes it jumps. The largest jump is forgiven, it may be the canary getting slower.
    """

    def __init__(self, scale: float) -> None:
        self._shifts = [(scale * shift, (scale * shift) ** 2 / 2) for shift in SHIFTS]
        self._sums = [0.0] * len(SHIFTS)
        self.most = 0.0
        self._last: float | None = None
        self._jumps, self._jumped, self._largest = 0, 0.0, 0.0

    def add(self, excess: float, variance: float) -> None:
        if variance == math.inf:
            return
        if self._last is not None:
            jump = (excess - self._last) ** 2 / (2 * variance)
            self._jumps += 1
            self._jumped += jump
            self._largest = max(self._largest, jump)
        self._last = excess
        most = SURPRISE_MAX * math.sqrt(variance)
        clipped = min(most, max(-most, excess))
        self._sums = [
            one + (shift * clipped - half) / variance
            for one, (shift, half) in zip(self._sums, self._shifts, strict=True)
        ]
        self.most = max(self._sums)

    @property
    def phi(self) -> float:
        counted = self._jumped - self._largest
        return max(1.0, (PRIOR_MINUTES + counted) / (PRIOR_MINUTES + max(0, self._jumps - 1)))

    @property
    def logs(self) -> list[float]:
        phi = self.phi
        return [one / phi for one in self._sums]


class _Spread:
    """The baseline's standard deviation of log-durations, smoothed over the minutes."""

    def __init__(self) -> None:
        self._sigma: float | None = None

    def add(self, latency: Latency) -> float:
        fresh = _spread(latency)
        if fresh is not None:
            self._sigma = fresh if self._sigma is None else 0.7 * self._sigma + 0.3 * fresh
        return _SIGMA_UNKNOWN if self._sigma is None else self._sigma


_SIGMA_UNKNOWN = 1.0
_SIGMA_LEAST = 0.02


def _spread(latency: Latency) -> float | None:
    middle = latency.p50
    for name in ("p90", "p95", "p99"):
        high = getattr(latency, name)
        if high and middle:
            return max(_SIGMA_LEAST, math.log(high / middle) / _z(name))
    return None


class _Pair(NamedTuple):
    """One minute of both arms, the spread of their durations, and the margin's logarithm."""

    canary: Heard
    baseline: Heard
    sigma: float
    allowed: float

    def blended(self, blend: "_Blend | None") -> tuple[float, float]:
        """The excess and its variance, of the median and a higher quantile together."""
        middle = self._excess("p50")
        if middle is None:
            return 0.0, math.inf
        high = self._excess(blend.name) if blend and self._least >= REQUESTS_TAIL else None
        if blend is None or high is None:
            return middle, INFLATED * _covariance("p50", "p50") * self._noise + FLOOR
        excess = (1 - blend.part) * middle + blend.part * high
        return excess, INFLATED * blend.scale * self._noise + FLOOR

    def tail(self) -> tuple[float, float]:
        excess = self._excess("p99")
        if excess is None or self._least < REQUESTS_P99:
            return 0.0, math.inf
        return excess, _TAIL_INFLATED * _covariance("p99", "p99") * self._noise + 4 * FLOOR

    @property
    def _least(self) -> int:
        return min(self.canary.requests, self.baseline.requests)

    @property
    def _noise(self) -> float:
        return self.sigma**2 * (1 / self.canary.requests + 1 / self.baseline.requests)

    def _excess(self, name: str) -> float | None:
        mine, theirs = getattr(self.canary.latency, name), getattr(self.baseline.latency, name)
        return math.log(mine / theirs) - self.allowed if mine and theirs else None


_TAIL_INFLATED = 1.5 * INFLATED


@cache
def _z(name: str) -> float:
    return NormalDist().inv_cdf(_LEVELS[name])


@cache
def _covariance(one: str, other: str) -> float:
    """Of two sample quantiles' logarithms, times n / sigma^2: min(p)(1 - max(p)) / densities."""
    low, high = sorted((_LEVELS[one], _LEVELS[other]))
    normal = NormalDist()
    return low * (1 - high) / (normal.pdf(_z(one)) * normal.pdf(_z(other)))


class _Blend(NamedTuple):
    """A higher quantile's part beside the median, and the variance of both, times n / sigma^2."""

    name: str
    part: float
    scale: float


@cache
def _blend(name: str) -> _Blend:
    """With the part that makes the blend's variance least."""
    middle, high = _covariance("p50", "p50"), _covariance(name, name)
    shared = _covariance("p50", name)
    part = (middle - shared) / (middle + high - 2 * shared)
    both = 2 * part * (1 - part) * shared
    return _Blend(name, part, (1 - part) ** 2 * middle + part**2 * high + both)
