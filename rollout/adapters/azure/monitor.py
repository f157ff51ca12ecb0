"""Per-minute counts and latencies from Azure Monitor's platform metrics."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, Field, TypeAdapter

from rollout.adapters.azure.answers import Foreign, parsed
from rollout.adapters.azure.batch import MetricsBatch
from rollout.adapters.azure.pipeline import ArmClient
from rollout.analysis.samples import Counts, Latency
from rollout.core.endpoint import EndpointId
from rollout.core.minutes import ceil, floor, starts
from rollout.errors import Refused, Unavailable, Unknown
from rollout.ports import Minutes

API_VERSION = "2019-07-01"
NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
ACTION = "Microsoft.Insights/metrics/read"
SERIES_MAX = 1000  # without `top` ten series come back, the others silently left out
UNREADABLE_STATUS = 0  # counted, but as no answer of HTTP

REQUESTS = "RequestsPerMinute"
RANKS = (50, 90, 95, 99)
PERCENTILES = {f"requestlatency_p{rank}": f"p{rank}" for rank in RANKS}
BY_STATUS = "deployment eq '*' and statusCode eq '*'"
BY_DEPLOYMENT = "deployment eq '*'"


class _Name(Foreign):
    value: str


class _Dimension(Foreign):
    name: _Name
    value: str | None = None


class _Point(Foreign):
    time_stamp: AwareDatetime
    average: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class _Series(Foreign):
    metadatavalues: list[_Dimension] = Field(default_factory=list)
    data: list[_Point]

    def dimension(self, name: str) -> str | None:
        """Its value; the service answers names in lower case."""
        found = [one.value for one in self.metadatavalues if one.name.value.lower() == name]
        return next(iter(found), None)


class _Metric(Foreign):
    name: _Name
    error_code: str | None = None
    timeseries: list[_Series]


class _Answer(Foreign):
    value: list[_Metric]


class _Answers(Foreign):
    values: Annotated[list[_Answer], Field(min_length=1, max_length=1)]


_ANSWER = TypeAdapter(_Answer)
_ANSWERS = TypeAdapter(_Answers)


class MonitorMetrics:
    """The port Metrics. `minute` is the clock's policy minute, and the grain that is asked for.

    With `batch` the region's data plane is asked, else ARM: one resource at a time.
    """

    source = "metrics"

    def __init__(
        self,
        arm: ArmClient,
        minute: timedelta,
        lag_minutes: int = 2,
        batch: MetricsBatch | None = None,
    ) -> None:
        self._arm = arm
        self._batch = batch
        self._minute = minute
        self._lag = lag_minutes * minute

    @property
    def lag(self) -> timedelta:
        return self._lag

    def read(self, endpoint: EndpointId, since: datetime, until: datetime) -> Minutes:
        """Whole minutes in [since, until), oldest first; a minute without a count is left out.

        Raises Refused for an answer whose numbers cannot be counts, or that was cut short.
        """
        first, last = ceil(since, self._minute), floor(until, self._minute)
        if first >= last:
            return {}
        counted = _Metrics(self._ask(endpoint, first, last, [REQUESTS], BY_STATUS))
        ranks = [f"RequestLatency_P{rank}" for rank in RANKS]
        timed = _Metrics(self._ask(endpoint, first, last, ranks, BY_DEPLOYMENT))
        statuses = counted.statuses()
        self._check_grain(statuses)
        latencies = timed.latencies()
        return {
            at: {
                name: Counts(statuses=counts, latency=latencies.get((at, name)))
                for name, counts in sorted(statuses[at].items())
            }
            for at in sorted(statuses)
            if first <= at < last
        }

    def _ask(
        self, endpoint: EndpointId, first: datetime, last: datetime, names: list[str], by: str
    ) -> list[_Metric]:
        query = {
            "interval": _interval(self._minute),
            "metricnamespace": NAMESPACE,
            "metricnames": ",".join(names),
            "aggregation": "Average",
            "top": str(SERIES_MAX),
        }
        try:
            if self._batch:
                span = {"starttime": _text(first), "endtime": _text(last), "filter": by}
                return parsed(self._batch.send(endpoint, query | span), _ANSWERS).values[0].value
            timespan = {"timespan": f"{_text(first)}/{_text(last)}", "$filter": by}
            return self._single(endpoint, query | timespan)
        except Unknown as error:
            raise Refused(f"metrics of {endpoint}: {error}") from error

    def _single(self, endpoint: EndpointId, query: Mapping[str, str]) -> list[_Metric]:
        place = f"{endpoint.arm_id}/providers/microsoft.Insights/metrics"
        url = self._arm.url(place, {**query, "api-version": API_VERSION})
        return parsed(self._arm.send("GET", url, ACTION), _ANSWER).value

    def _check_grain(self, times: Iterable[datetime]) -> None:
        odd = [at for at in times if not starts(at, self._minute)]
        if odd:
            raise Refused(
                f"metrics: asked for points every {_interval(self._minute)}, got one at {odd[0]}"
            )


class _Metrics:
    """The series of one answer, checked to be whole."""

    def __init__(self, metrics: list[_Metric]) -> None:
        self._metrics = metrics
        for metric in metrics:
            name = metric.name.value
            if (metric.error_code or "Success").lower() != "success":
                raise Unavailable(f"metric {name}: {metric.error_code}")
            if len(metric.timeseries) >= SERIES_MAX:
                raise Refused(f"metric {name}: more than {SERIES_MAX} series; some are left out")

    def statuses(self) -> Mapping[datetime, Mapping[str, Mapping[int, int]]]:
        """Counts by minute, deployment and status; a zero is a point, but no count."""
        counts: defaultdict[datetime, dict[str, dict[int, int]]] = defaultdict(dict)
        for metric, series, at, value in self._points():
            if metric != REQUESTS.lower():
                continue
            deployment, status = series.dimension("deployment"), series.dimension("statuscode")
            if deployment is None or status is None:
                if value:
                    raise Refused(f"metric {REQUESTS}: {value:g} requests of nobody at {at}")
                continue
            arm = counts[at].setdefault(deployment, {})
            if number := round(value):
                key = int(status) if status.isdecimal() else UNREADABLE_STATUS
                arm[key] = arm.get(key, 0) + number
        return counts

    def latencies(self) -> Mapping[tuple[datetime, str], Latency]:
        found: defaultdict[tuple[datetime, str], dict[str, float]] = defaultdict(dict)
        for metric, series, at, value in self._points():
            rank, deployment = PERCENTILES.get(metric), series.dimension("deployment")
            if rank and deployment is not None:
                found[at, deployment][rank] = value
        return {key: Latency(**ranks) for key, ranks in found.items()}

    def _points(self) -> Iterator[tuple[str, _Series, datetime, float]]:
        """What has a value; a minute without one is no point."""
        for metric in self._metrics:
            for series in metric.timeseries:
                for point in series.data:
                    if point.average is not None:
                        at = point.time_stamp.astimezone(UTC)
                        yield metric.name.value.lower(), series, at, point.average


def _interval(minute: timedelta) -> str:
    seconds = minute.total_seconds()
    return "PT1M" if seconds == 60 else f"PT{seconds:.6f}".rstrip("0").rstrip(".") + "S"


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
