"""Azure Monitor's answers, with holes and worse, and the minutes that come of them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rollout.adapters.azure.monitor import SERIES_MAX, MonitorMetrics
from rollout.adapters.azure.pipeline import ArmClient
from rollout.analysis.samples import Counts, Latency
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.ports import Minutes
from tests.adapters.recorded import (
    CHURN,
    ENDPOINT_PATH,
    Recorded,
    Reply,
    failed,
    payload,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATH = f"{ENDPOINT_PATH}/providers/microsoft.Insights/metrics"
EMPTY: Any = {"value": []}


def read(arm: ArmClient, minutes: int = 3, minute: timedelta = MINUTE) -> Minutes:
    return MonitorMetrics(arm, minute).read(CHURN, NOON, NOON + minutes * minute)


def requests(*points: Any, **dimensions: str) -> Any:
    """One series of counts as the service writes it."""
    metadata = [{"name": {"value": name}, "value": value} for name, value in dimensions.items()]
    series = {"metadatavalues": metadata, "data": list(points)}
    return {"value": [{"name": {"value": "RequestsPerMinute"}, "timeseries": [series]}]}


def point(average: Any, at: datetime = NOON) -> Any:
    return {"timeStamp": at.isoformat(), "average": average}


def test_counts_and_latencies_come_together_and_holes_stay_holes(
    azure: Recorded, arm: ArmClient
) -> None:
    answers = Reply(200, payload("metrics_requests")), Reply(200, payload("metrics_latency"))
    azure.give("GET", PATH, *answers)

    minutes = read(arm)

    assert minutes == {
        NOON: {"blue": Counts(statuses={200: 95}, latency=Latency(p50=12.5, p95=48.0))},
        NOON + MINUTE: {
            "blue": Counts(statuses={200: 90}),
            "green": Counts(statuses={424: 3}),
        },
    }


def test_what_is_asked_for(azure: Recorded, arm: ArmClient) -> None:
    azure.give("GET", PATH, Reply(200, EMPTY))

    assert read(arm) == {}

    queries = [parse_qs(urlsplit(asked.target).query) for asked in azure.asked]
    common = {
        "timespan": ["2026-03-02T12:00:00Z/2026-03-02T12:03:00Z"],
        "interval": ["PT1M"],
        "metricnamespace": ["Microsoft.MachineLearningServices/workspaces/onlineEndpoints"],
        "aggregation": ["Average"],
        "top": [str(SERIES_MAX)],
        "api-version": ["2019-07-01"],
    }
    latencies = ",".join(f"RequestLatency_P{rank}" for rank in (50, 90, 95, 99))
    assert queries == [
        common
        | {
            "metricnames": ["RequestsPerMinute"],
            "$filter": ["deployment eq '*' and statusCode eq '*'"],
        },
        common | {"metricnames": [latencies], "$filter": ["deployment eq '*'"]},
    ]


@pytest.mark.parametrize(
    ("seconds", "interval"), [(60, "PT1M"), (5, "PT5S"), (2, "PT2S"), (3.75, "PT3.75S")]
)
def test_the_grain_is_the_clocks_minute_and_its_lag_is_in_minutes(
    azure: Recorded, arm: ArmClient, seconds: float, interval: str
) -> None:
    azure.give("GET", PATH, Reply(200, EMPTY))
    minute = timedelta(seconds=seconds)
    metrics = MonitorMetrics(arm, minute, lag_minutes=3)

    metrics.read(CHURN, NOON, NOON + 4 * minute)

    assert parse_qs(urlsplit(azure.asked[0].target).query)["interval"] == [interval]
    assert (metrics.lag, metrics.source) == (3 * minute, "metrics")


def test_only_whole_minutes_are_read(azure: Recorded, arm: ArmClient) -> None:
    points = [point(number, NOON + number * MINUTE) for number in range(5)]
    azure.give("GET", PATH, Reply(200, requests(*points, deployment="blue", statuscode="200")))
    second = timedelta(seconds=1)
    metrics = MonitorMetrics(arm, MINUTE)

    minutes = metrics.read(CHURN, NOON + second, NOON + 4 * MINUTE - second)

    assert list(minutes) == [NOON + MINUTE, NOON + 2 * MINUTE]
    timespan = parse_qs(urlsplit(azure.asked[0].target).query)["timespan"]
    assert timespan == ["2026-03-02T12:01:00Z/2026-03-02T12:03:00Z"]


@pytest.mark.parametrize("until", [NOON, NOON + timedelta(seconds=59), NOON - MINUTE])
def test_less_than_a_minute_asks_nobody(azure: Recorded, arm: ArmClient, until: datetime) -> None:
    assert MonitorMetrics(arm, MINUTE).read(CHURN, NOON, until) == {}
    assert azure.asked == []


@pytest.mark.parametrize(
    ("answer", "statuses"),
    [
        (requests(point(2.6), deployment="blue", statuscode="200"), {200: 3}),
        (requests(point(0), deployment="blue", statuscode="200"), {}),
        (requests(point(4), deployment="blue", statusCode="503"), {503: 4}),
        (requests(point(4), Deployment="blue", statuscode="unknown"), {0: 4}),
    ],
)
def test_a_point_is_a_count(
    azure: Recorded, arm: ArmClient, answer: Any, statuses: dict[int, int]
) -> None:
    azure.give("GET", PATH, Reply(200, answer))

    assert read(arm) == {NOON: {"blue": Counts(statuses=statuses)}}


@pytest.mark.parametrize(
    "answer",
    [
        EMPTY,
        requests(),
        requests(point(None), deployment="blue", statuscode="200"),
        requests({"timeStamp": NOON.isoformat()}, deployment="blue", statuscode="200"),
        requests(point(0)),
        requests(point(7, NOON - MINUTE), deployment="blue", statuscode="200"),
        {"value": [{"name": {"value": "SomethingElse"}, "timeseries": [{"data": [point(1)]}]}]},
    ],
)
def test_no_point_is_no_minute(azure: Recorded, arm: ArmClient, answer: Any) -> None:
    azure.give("GET", PATH, Reply(200, answer))

    assert read(arm) == {}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "not understood"),
        (b"{}", "value: Field required"),
        (b'{"value": [{}]}', "value.0.name"),
        (requests(point(-1), deployment="blue", statuscode="500"), "greater than or equal to 0"),
        (requests(point(float("nan")), deployment="b", statuscode="500"), "not understood"),
        (requests(point(float("inf")), deployment="b", statuscode="500"), "finite"),
        (requests(point("many"), deployment="b", statuscode="500"), "valid number"),
        (requests({"average": 1.0}, deployment="b", statuscode="500"), "Field required"),
        (requests(point(3), deployment="blue"), "3 requests of nobody"),
        (requests(point(3), statuscode="200"), "3 requests of nobody"),
        (
            requests(point(3, NOON + timedelta(seconds=30)), deployment="b", statuscode="200"),
            "asked for points every PT1M, got one at 2026-03-02 12:00:30",
        ),
        (
            {"value": [{"name": {"value": "X"}, "timeseries": [{"data": []}] * SERIES_MAX}]},
            "some are left out",
        ),
    ],
)
def test_numbers_that_cannot_be_counts_are_refused(
    azure: Recorded, arm: ArmClient, body: Any, said: str
) -> None:
    azure.give("GET", PATH, Reply(200, body))

    with pytest.raises(Refused, match=said):
        read(arm)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(404, failed("ResourceNotFound", "gone")), Refused),
        (Reply(403, failed("AuthorizationFailed", "no")), Refused),
        (Reply(429, failed("Throttled", "later")), Unavailable),
        (Reply(529, failed("Throttled", "later")), Unavailable),
        (
            Reply(
                200, {"value": [{"name": {"value": "X"}, "errorCode": "Timeout", "timeseries": []}]}
            ),
            Unavailable,
        ),
    ],
)
def test_each_no_has_its_error(
    azure: Recorded, arm: ArmClient, reply: Reply, error: type[RolloutError]
) -> None:
    azure.give("GET", PATH, reply)

    with pytest.raises(error):
        read(arm)
