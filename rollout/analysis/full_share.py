"""What a relative guard holds the canary to where no baseline serves beside it."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from rollout.analysis.case import Terms
from rollout.analysis.compare_rates import margin
from rollout.analysis.report import ANSWERS, Guard, Metric
from rollout.analysis.samples import Counts, Samples
from rollout.analysis.slowness import QUANTILES, quantile_ms
from rollout.analysis.threshold import relative

ALLOWANCE = 1.5
"""The time of day moves rates and latencies, and nobody serves beside to tell them apart."""
FIRST_RATE = 0.05
"""What a first deployment is held to, with no past to compare with."""
_RATES = frozenset(
    {Metric.ERROR_RATE, Metric.UNAVAILABLE_RATE, Metric.PLATFORM_RATE, Metric.CUSTOM}
)


def at_full_share(
    guards: Sequence[Guard], samples: Samples, terms: Terms | None = None
) -> tuple[Guard, ...]:
    """Give each relative guard an absolute limit too, for minutes in which no baseline serves.

    The limit is the baseline's usual value with the margin and an allowance of one half. With no
    past at all a rate may be one in twenty and its points more, and latencies are not judged: their
    guards are left out, as are those on what both arms answer.
    """
    past = [one.baseline for one in (*samples.history, *samples.minutes) if one.baseline]
    limited = (_limited(guard, past, terms or Terms()) for guard in guards)
    return tuple(guard for guard in limited if guard is not None)


def _limited(guard: Guard, past: Sequence[Counts], terms: Terms) -> Guard | None:
    if guard.metric in ANSWERS:
        return None  # nobody serves beside to answer the same
    if not relative(guard) or guard.at_most is not None:
        return guard
    if guard.metric in _RATES:
        return replace(guard, at_most=_rate_limit(guard, past, terms))
    values = [value for one in past if (value := _latency(one, guard.metric))]
    if not values:
        return None
    return replace(guard, at_most=median(values) * margin(guard).ratio * ALLOWANCE)


def _rate_limit(guard: Guard, past: Sequence[Counts], terms: Terms) -> float:
    statuses = terms.statuses(guard.metric)
    answers = [one.statuses for one in past]
    requests = sum([sum(one.values()) for one in answers])
    if not requests:
        return min(1.0, FIRST_RATE + margin(guard).points)
    usual = (sum([one.get(bad, 0) for one in answers for bad in statuses]) + 1) / (requests + 1)
    ratio, points = margin(guard)
    return min(1.0, (usual * ratio + points) * ALLOWANCE)


def _latency(counts: Counts, metric: Metric) -> float | None:
    if counts.bins:
        return quantile_ms(counts.bins, QUANTILES[metric])
    name = metric.removeprefix("latency_")
    return getattr(counts.latency, name) if counts.latency else None
