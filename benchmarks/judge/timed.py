"""How long a decision takes from scratch: 60 minutes of a trial, 120 of history."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

import numpy as np

from rollout.analysis.dispersion import _pooled
from rollout.analysis.excess import _where_rare
from rollout.analysis.judge import Terms, judge
from rollout.analysis.report import Guard
from rollout.analysis.samples import Counts, Latency, Minute, Samples
from rollout.core.guards import DEFAULT_GUARDS

DECISIONS = 40
ONE = {424: 0.003}
ALL = {424: 0.003, 408: 0.0005, 429: 0.002, 503: 0.001, 500: 0.001}
"""How often a request is answered by which status."""

_NOON, _MINUTE = datetime(2026, 3, 2, 12, tzinfo=UTC), timedelta(minutes=1)


def told() -> str:
    """The medians in a sentence; nothing is remembered from one decision to the next."""
    one = _milliseconds(DEFAULT_GUARDS[:1], ONE)
    five = _milliseconds(DEFAULT_GUARDS, ONE)
    all_rates = _milliseconds(DEFAULT_GUARDS, ALL)
    return (
        "One decision from scratch on 60 minutes and 120 of history takes"
        f" {one:.1f} ms of one core for an error guard, {five:.1f} ms for the five guards of a"
        f" policy by default, and {all_rates:.1f} ms for them where every rate has failures"
    )


def _milliseconds(guards: Sequence[Guard], rates: Mapping[int, float]) -> float:
    samples = _samples(rates)
    return 1000 * median(_seconds(samples, guards) for _ in range(DECISIONS))


def _seconds(samples: Samples, guards: Sequence[Guard]) -> float:
    for remembered in (_pooled, _where_rare):
        remembered.cache_clear()
    begin = time.process_time()
    judge(samples, guards, Terms())
    return time.process_time() - begin


def _samples(rates: Mapping[int, float]) -> Samples:
    random = np.random.default_rng(1)
    past = [
        Minute(_NOON + at * _MINUTE, 0, None, _counts(random, 3000, rates)) for at in range(-120, 0)
    ]
    trial = [
        Minute(
            _NOON + at * _MINUTE,
            share,
            _counts(random, 30 * share, rates),
            _counts(random, 3000 - 30 * share, rates),
        )
        for share, begins in ((5, 0), (25, 30))
        for at in range(begins, begins + 30)
    ]
    return Samples(tuple(trial), tuple(past))


def _counts(random: np.random.Generator, mean: int, rates: Mapping[int, float]) -> Counts:
    requests = int(random.poisson(mean))
    bad = {status: int(random.binomial(requests, rate)) for status, rate in rates.items()}
    middle = float(random.uniform(45, 55))
    latency = Latency(middle, 2 * middle, 2.6 * middle, 4 * middle)
    return Counts({200: requests - sum(bad.values()), **bad}, latency)
