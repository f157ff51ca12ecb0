"""Log Analytics' answers, whole, in part and worse, and the minutes that come of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollout.adapters.azure.logs import LogMetrics, LogsClient, quoted
from rollout.analysis.samples import Counts
from rollout.core.endpoint import EndpointId
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.ports import Minutes
from tests.adapters.recorded import CHURN, TOKEN, Recorded, Reply, TokenOfNobody, failed

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATH = "/v1/workspaces/w1/query"
COLUMNS = ("minute", "deployment", "status", "bin10", "answers")
TYPES = ("datetime", "string", "int", "int", "long")


@pytest.fixture
def client(azure: Recorded) -> Iterator[LogsClient]:
    client = LogsClient(azure.url, "w1", TokenOfNobody())
    yield client
    client.close()


def read(client: LogsClient, endpoint: EndpointId = CHURN) -> Minutes:
    return LogMetrics(client, MINUTE).read(endpoint, NOON, NOON + 3 * MINUTE)


def table(*rows: Any, **more: Any) -> Any:
    """A result as the service writes it."""
    columns = [{"name": name, "type": kind} for name, kind in zip(COLUMNS, TYPES, strict=True)]
    return {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": list(rows)}], **more}


def row(answers: Any = 1, status: Any = 200, bin10: Any = 3, at: datetime = NOON) -> Any:
    return [at.isoformat().replace("+00:00", "Z"), "blue", status, bin10, answers]


def test_rows_become_counts_and_histograms(azure: Recorded, client: LogsClient) -> None:
    later = row(4, status=424, bin10=9, at=NOON + MINUTE)
    azure.give("POST", PATH, Reply(200, table(row(5), row(2, bin10=4), row(1, status=503), later)))

    assert read(client) == {
        NOON: {"blue": Counts({200: 7, 503: 1}, bins={3: 6, 4: 2})},
        NOON + MINUTE: {"blue": Counts({424: 4}, bins={9: 4})},
    }


def test_what_is_asked_for(azure: Recorded, client: LogsClient) -> None:
    azure.give("POST", PATH, Reply(200, table()))

    assert read(client) == {}

    (asked,) = azure.asked
    query = asked.json["query"]
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.json["timespan"] == "2026-03-02T12:00:00.000Z/2026-03-02T12:03:00.000Z"
    assert 'AzureMLWorkspaceName =~ "scoring" and EndpointName =~ "churn"' in query
    assert "bin(TimeGenerated, 60s)" in query
    assert "datetime(2026-03-02T12:00:00Z)" in query


def test_less_than_a_minute_asks_nobody(azure: Recorded, client: LogsClient) -> None:
    assert LogMetrics(client, MINUTE).read(CHURN, NOON, NOON + MINUTE / 2) == {}
    assert azure.asked == []


def test_a_row_without_a_status_or_a_duration_is_counted_all_the_same(
    azure: Recorded, client: LogsClient
) -> None:
    azure.give("POST", PATH, Reply(200, table(row(2, status=None, bin10=None), row(3))))

    assert read(client) == {NOON: {"blue": Counts({0: 2, 200: 3}, bins={3: 3})}}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("churn", '"churn"'),
        ('a" or 1 == 1 //', '"a\\" or 1 == 1 //"'),
        ("back\\", '"back\\\\"'),
        ("two\nlines", '"two\\u000alines"'),
    ],
)
def test_a_text_of_kql_stays_a_text(text: str, shown: str) -> None:
    assert quoted(text) == shown


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (
            Reply(200, table(row(), error={"code": "PartialError", "message": "too much"})),
            Unavailable,
            "only a part",
        ),
        (Reply(429, failed("Throttled", "slow"), {"Retry-After": "17"}), Unavailable, "429"),
        (Reply(503, failed("ServiceUnavailable", "down")), Unavailable, "503"),
        (Reply(504, failed("GatewayTimeout", "too long")), Unavailable, "504"),
        (Reply(400, failed("BadArgumentError", "syntax")), Refused, "syntax"),
        (Reply(403, failed("InsufficientAccessError", "no")), Refused, "query/read"),
        (Reply(404, failed("WorkspaceNotFoundError", "gone")), Refused, "ROLLOUT_LOGS_WORKSPACE"),
        (Reply(401, failed("InvalidTokenError", f"no {TOKEN}")), Refused, "signed in"),
        (Reply(200, {"tables": [{"name": "x"}]}), Refused, "not understood"),
        (Reply(200, table(row("many"))), Refused, "no count"),
        (Reply(200, table(row(-1))), Refused, "no count"),
        (Reply(200, table(row(at=NOON + MINUTE / 4))), Refused, "whole minutes"),
        (Reply(200, table(["", "blue", 200, 3, 1])), Refused, "without a minute"),
    ],
)
def test_each_no_has_its_error_and_no_secret(
    azure: Recorded, client: LogsClient, reply: Reply, error: type[RolloutError], said: str
) -> None:
    azure.give("POST", PATH, reply)

    with pytest.raises(error, match=said) as caught:
        read(client)

    assert TOKEN not in str(caught.value)
    assert len(azure.asked) == 1


def test_throttling_tells_its_time(azure: Recorded, client: LogsClient) -> None:
    azure.give("POST", PATH, Reply(429, failed("Throttled", "slow"), {"Retry-After": "17"}))

    with pytest.raises(Unavailable) as caught:
        read(client)

    assert caught.value.after == timedelta(seconds=17)


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="no answer"):
        read(LogsClient("http://127.0.0.1:9", "w1", TokenOfNobody()))


def test_a_token_goes_over_https_only() -> None:
    with pytest.raises(Refused, match="https"):
        LogsClient("http://api.loganalytics.io", "w1", TokenOfNobody())
