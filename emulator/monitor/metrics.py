"""Metric series in Azure Monitor's shape, made of counted answers."""

import math
from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.arm import durations
from emulator.arm.refusals import Refusal
from emulator.monitor import filters
from emulator.monitor.filters import Filter
from emulator.monitor.ledger import Cell, Ledger

_Key = tuple[str, ...]
_BY_ENDPOINT = frozenset({"deployment", "statuscode", "statuscodeclass", "modelstatuscode"})
_LATENCY_BY = frozenset({"deployment"})


@dataclass(frozen=True, slots=True)
class Metric:
    """`value` is what one minute's durations amount to."""

    name: str
    unit: str
    value: Callable[[Sequence[float]], float]
    dimensions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Question:
    """One metrics request for one resource."""

    resource_id: str
    endpoint_id: str
    deployment: str | None
    namespace: str
    names: Sequence[str]
    start: float
    end: float
    interval: float
    top: int
    filter: str


@dataclass(frozen=True, slots=True)
class Visibility:
    """Which minutes can be seen: not the latest ones, and none in a gap."""

    now: float
    lag: float
    gap: tuple[float, float] | None

    def shows(self, minute: float, grain: float) -> bool:
        late = self.lag > 0 and minute + grain + self.lag > self.now
        lost = self.gap is not None and self.gap[0] <= minute < self.gap[1]
        return not late and not lost


def percentile(durations_ms: Sequence[float], percent: float) -> float:
    """The smallest value with at least `percent` of the values at or below it."""
    ordered = sorted(durations_ms)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _percentile(percent: float) -> Callable[[Sequence[float]], float]:
    return lambda durations_ms: percentile(durations_ms, percent)


def _mean(durations_ms: Sequence[float]) -> float:
    return sum(durations_ms) / len(durations_ms)


def _count(durations_ms: Sequence[float]) -> float:
    return float(len(durations_ms))


def _metrics(by: frozenset[str], latency_by: frozenset[str]) -> dict[str, Metric]:
    quantiles = {f"RequestLatency_P{p}": _percentile(p) for p in (50, 90, 95, 99)}
    latencies = {"RequestLatency": _mean, **quantiles}
    found = [Metric("RequestsPerMinute", "Count", _count, by)]
    found += [Metric(n, "MilliSeconds", value, latency_by) for n, value in latencies.items()]
    return {metric.name.lower(): metric for metric in found}


NAMESPACES: Mapping[str, Mapping[str, Metric]] = {
    "microsoft.machinelearningservices/workspaces/onlineendpoints": _metrics(
        _BY_ENDPOINT, _LATENCY_BY
    ),
    "microsoft.machinelearningservices/workspaces/onlineendpoints/deployments": _metrics(
        frozenset({"envoy_response_code"}), frozenset()
    ),
}


def answer(question: Question, ledger: Ledger, visible: Visibility) -> list[dict[str, Any]]:
    """The `value` list of the response: one element a metric."""
    known = NAMESPACES.get(question.namespace.lower())
    if known is None:
        raise Refusal(400, "BadRequest", f"Metric namespace {question.namespace} is not known.")
    return [_one(question, _named(name, known), ledger, visible) for name in question.names]


def _named(name: str, known: Mapping[str, Metric]) -> Metric:
    if (metric := known.get(name.strip().lower())) is None:
        valid = ", ".join(one.name for one in known.values())
        raise Refusal(
            400, "BadRequest", f"Failed to find metric configuration: {name}. Valid: {valid}"
        )
    return metric


def _one(question: Question, metric: Metric, ledger: Ledger, visible: Visibility) -> dict[str, Any]:
    split = filters.parse(question.filter, metric.dimensions)
    series = _series(question, metric, split, ledger, visible)
    ranked = sorted(series.items(), key=lambda item: -sum(item[1].values()))[: question.top]
    return {
        "id": f"{question.resource_id}/providers/Microsoft.Insights/metrics/{metric.name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": metric.name, "localizedValue": metric.name},
        "displayDescription": metric.name,
        "unit": metric.unit,
        "errorCode": "Success",
        "timeseries": [_timeseries(split, key, points, question) for key, points in ranked],
    }


def _series(
    question: Question, metric: Metric, split: Filter, ledger: Ledger, visible: Visibility
) -> dict[_Key, dict[float, float]]:
    """The metric's points by dimension values and interval."""
    grain, found = ledger.grain, defaultdict[_Key, dict[float, list[float]]](dict)
    start = _aligned(question.start, question.interval)
    for minute, cells in ledger.minutes(question.endpoint_id, start, question.end):
        if not visible.shows(minute, grain):
            continue
        for key, durations_ms in _split(cells, question, split).items():
            at = _aligned(minute, question.interval)
            found[key].setdefault(at, []).append(metric.value(durations_ms))
    return {
        key: {at: sum(values) / len(values) for at, values in points.items()}
        for key, points in found.items()
    }


def _split(
    cells: Any,  # noqa: ANN401 - the ledger's items
    question: Question,
    split: Filter,
) -> dict[_Key, "array[float]"]:
    found: dict[_Key, array[float]] = {}
    cell: Cell
    for cell, durations_ms in cells:
        dimensions = cell.dimensions()
        other = question.deployment is not None and cell.deployment.lower() != question.deployment
        if other or not split.accepts(dimensions):
            continue
        key = tuple(dimensions[name] for name in split.dimensions)
        found.setdefault(key, array("f")).extend(durations_ms)
    return found


def _timeseries(
    split: Filter, key: _Key, points: Mapping[float, float], question: Question
) -> dict[str, Any]:
    first = _aligned(question.start, question.interval)
    steps = math.ceil((question.end - first) / question.interval)
    moments = (first + step * question.interval for step in range(steps))
    return {
        "metadatavalues": [
            {"name": {"value": name, "localizedValue": name}, "value": value}
            for name, value in zip(split.dimensions, key, strict=True)
        ],
        "data": [_point(at, points.get(at)) for at in moments],
    }


def _point(at: float, value: float | None) -> dict[str, Any]:
    """A minute without data is a point without a value."""
    stamp = {"timeStamp": durations.iso(at)}
    return stamp if value is None else {**stamp, "average": value}


def _aligned(at: float, interval: float) -> float:
    return math.floor(at / interval) * interval
