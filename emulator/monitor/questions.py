"""Metrics requests read: what is asked, of which resource."""

import re
from collections.abc import Mapping

from emulator.arm import durations
from emulator.arm.lenient import whole
from emulator.arm.refusals import Refusal, not_found
from emulator.monitor.metrics import NAMESPACES, Question

_TOP = 10
_SPAN_DEFAULT = 3600.0
_POINTS_MAX = 20_000
_RESOURCE = re.compile(
    r"(?P<endpoint>/subscriptions/[^/]+/resourceGroups/[^/]+/providers/"
    r"Microsoft\.MachineLearningServices/workspaces/[^/]+/onlineEndpoints/[^/]+)"
    r"(?:/deployments/(?P<deployment>[^/]+))?/?",
    re.IGNORECASE,
)
_ENDPOINTS, _DEPLOYMENTS = NAMESPACES


def read(resource_id: str, query: Mapping[str, str], grain: float, now: float) -> Question:
    """`query` has lower-cased names, without `$`; both APIs spell them otherwise alike."""
    found = _RESOURCE.fullmatch(resource_id)
    if found is None:
        raise not_found(f"Resource {resource_id}")
    start, end = _span(query, now)
    interval = _interval(query.get("interval", "PT1M"), grain)
    if (end - start) / interval > _POINTS_MAX:
        raise _wrong(f"the timespan has more than {_POINTS_MAX} points")
    deployment = found["deployment"]
    _check_aggregation(query.get("aggregation", "Average"))
    return Question(
        resource_id=resource_id,
        endpoint_id=found["endpoint"],
        deployment=deployment and deployment.lower(),
        namespace=query.get("metricnamespace") or (_DEPLOYMENTS if deployment else _ENDPOINTS),
        names=query.get("metricnames", "RequestsPerMinute").split(","),
        start=start,
        end=end,
        interval=interval,
        top=whole(query.get("top", str(_TOP)), "top"),
        filter=query.get("filter", ""),
    )


def _span(query: Mapping[str, str], now: float) -> tuple[float, float]:
    if "timespan" in query:
        start, _, end = query["timespan"].partition("/")
        return durations.moment(start, "timespan"), durations.moment(end, "timespan")
    end_at = durations.moment(query["endtime"], "endtime") if "endtime" in query else now
    if "starttime" in query:
        return durations.moment(query["starttime"], "starttime"), end_at
    return end_at - _SPAN_DEFAULT, end_at


def _interval(text: str, grain: float) -> float:
    """PT1M is the grain, however long that is; others are multiples of it."""
    asked = durations.seconds(text, "interval")
    if asked in {60.0, grain}:
        return grain
    if asked < grain or asked % grain:
        raise _wrong(f"interval {text} is not a multiple of {durations.duration(grain)}")
    return asked


def _check_aggregation(text: str) -> None:
    """These metrics have an average only."""
    if {part.strip().lower() for part in text.split(",")} != {"average"}:
        raise _wrong(f"aggregation {text} is not supported; use Average")


def _wrong(why: str) -> Refusal:
    return Refusal(400, "BadRequest", f"Invalid request: {why}.")
