"""The batch API of metrics: whom it asks, what it asks, and what its answers mean."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.credentials import AccessToken

from rollout.adapters.azure.batch import AUDIENCE, URL, MetricsBatch, audience_of
from rollout.adapters.azure.monitor import SERIES_MAX, MonitorMetrics
from rollout.adapters.azure.pipeline import ArmClient
from rollout.analysis.samples import Counts, Latency
from rollout.errors import Refused, RolloutError, Unavailable
from tests.adapters.recorded import (
    CHURN,
    ENDPOINT_PATH,
    Recorded,
    Reply,
    TokenOfNobody,
    failed,
    payload,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATH = "/subscriptions/s1/metrics:getbatch"


@pytest.fixture
def metrics(azure: Recorded, arm: ArmClient) -> Iterator[MonitorMetrics]:
    batch = MetricsBatch(arm, azure.url)
    yield MonitorMetrics(arm, MINUTE, batch=batch)
    batch.close()


def answered(value: Any) -> Reply:
    whole = {**value, "starttime": "", "endtime": "", "resourceid": CHURN.arm_id}
    return Reply(200, {"values": [whole]})


def test_the_numbers_are_those_of_a_single_resource(
    azure: Recorded, metrics: MonitorMetrics
) -> None:
    answers = answered(payload("metrics_requests")), answered(payload("metrics_latency"))
    azure.give("POST", PATH, *answers)

    minutes = metrics.read(CHURN, NOON, NOON + 3 * MINUTE)

    assert minutes[NOON] == {"blue": Counts({200: 95}, latency=Latency(p50=12.5, p95=48.0))}
    assert minutes[NOON + MINUTE]["green"] == Counts({424: 3})


def test_what_is_asked_for(azure: Recorded, metrics: MonitorMetrics) -> None:
    azure.give("POST", PATH, answered({"value": []}))

    assert metrics.read(CHURN, NOON, NOON + 3 * MINUTE) == {}

    asked = azure.asked[0]
    assert asked.json == {"resourceids": [CHURN.arm_id]}
    assert parse_qs(urlsplit(asked.target).query) == {
        "api-version": ["2024-02-01"],
        "starttime": ["2026-03-02T12:00:00Z"],
        "endtime": ["2026-03-02T12:03:00Z"],
        "interval": ["PT1M"],
        "metricnamespace": ["Microsoft.MachineLearningServices/workspaces/onlineEndpoints"],
        "metricnames": ["RequestsPerMinute"],
        "aggregation": ["Average"],
        "top": [str(SERIES_MAX)],
        "filter": ["deployment eq '*' and statusCode eq '*'"],
    }
    assert all("top" in parse_qs(urlsplit(one.target).query) for one in azure.asked)


@pytest.mark.parametrize("status", [429, 529])
def test_throttling_is_unavailable_until_its_time(
    azure: Recorded, metrics: MonitorMetrics, status: int
) -> None:
    azure.give("POST", PATH, Reply(status, failed("Throttled", "later"), {"Retry-After": "31"}))

    with pytest.raises(Unavailable, match=str(status)) as caught:
        metrics.read(CHURN, NOON, NOON + 3 * MINUTE)

    assert caught.value.after == timedelta(seconds=31)
    assert len(azure.asked) == 1


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(404, failed("ResourceNotFound", "gone")), Refused),
        (Reply(403, failed("AuthorizationFailed", "no")), Refused),
        (Reply(200, {"values": []}), Refused),
        (Reply(200, {"value": []}), Refused),
    ],
)
def test_each_no_has_its_error(
    azure: Recorded, metrics: MonitorMetrics, reply: Reply, error: type[RolloutError]
) -> None:
    azure.give("POST", PATH, reply)

    with pytest.raises(error):
        metrics.read(CHURN, NOON, NOON + 3 * MINUTE)


def test_the_region_is_the_endpoints_and_asked_once(azure: Recorded, arm: ArmClient) -> None:
    azure.give("GET", ENDPOINT_PATH, Reply(200, {"location": "West Europe"}))
    batch = MetricsBatch(arm, azure.url.replace("127.0.0.1", "{region}"))

    for _ in range(2):
        with pytest.raises(Refused, match=r"http://westeurope:\d+: a token is sent over https"):
            batch.send(CHURN, {})

    assert len(azure.sent("GET")) == 1


def test_a_location_that_is_no_name_is_asked_nothing(azure: Recorded, arm: ArmClient) -> None:
    azure.give("GET", ENDPOINT_PATH, Reply(200, {"location": "evil.example/"}))

    with pytest.raises(Refused, match="no region"):
        MetricsBatch(arm).send(CHURN, {})


@pytest.mark.parametrize(
    ("url", "audience"),
    [
        (URL, AUDIENCE),
        ("https://{region}.metrics.monitor.azure.us/", "https://metrics.monitor.azure.us"),
        ("https://metrics.private.example", AUDIENCE),
    ],
)
def test_another_cloud_has_an_audience_of_its_own(url: str, audience: str) -> None:
    assert audience_of(url) == audience


def test_the_token_is_for_the_metrics_service() -> None:
    asked: list[str] = []

    class Noting(TokenOfNobody):
        def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
            asked.extend(scopes)
            raise RuntimeError("far enough")

    client = ArmClient("https://a.metrics.monitor.azure.com", Noting(), audience=AUDIENCE)

    with pytest.raises(RuntimeError, match="far enough"):
        client.send("POST", "https://a.metrics.monitor.azure.com/x", "read", {})
    assert asked == ["https://metrics.monitor.azure.com/.default"]
