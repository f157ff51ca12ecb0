"""Rows of the traffic log one by one: which request each is of, and which are no evidence."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollout.adapters.azure import logged
from rollout.adapters.azure.logged import LoggedAnswers
from rollout.adapters.azure.logs import LogsClient, quoted
from rollout.core.endpoint import EndpointId
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.pair_ports import Served, ServedRead
from rollout.ports import Answer
from tests.adapters.recorded import CHURN, TOKEN, Recorded, Reply, TokenOfNobody, failed

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
PATH = "/v1/workspaces/w1/query"
COLUMNS = {"at": "datetime", "status": "int", "ms": "real", "request": "string", "client": "string"}


@pytest.fixture
def client(azure: Recorded) -> Iterator[LogsClient]:
    client = LogsClient(azure.url, "w1", TokenOfNobody())
    yield client
    client.close()


def read(client: LogsClient, endpoint: EndpointId = CHURN, deployment: str = "blue") -> ServedRead:
    source = LoggedAnswers(client, MINUTE, lag_minutes=10)
    return source.read(endpoint, deployment, "model_outputs", NOON, NOON + 3 * MINUTE)


def row(
    second: int = 0,
    status: Any = 200,
    ms: Any = 12.5,
    request: str | None = "r1",
    client: str | None = None,
) -> list[Any]:
    at = (NOON + second * SECOND).isoformat().replace("+00:00", "Z")
    return [at, status, ms, request, client]


def table(*rows: list[Any]) -> Reply:
    """A result as the service writes it, the latest row first."""
    columns = [{"name": name, "type": kind} for name, kind in COLUMNS.items()]
    result = {"name": "PrimaryResult", "columns": columns, "rows": list(rows)}
    return Reply(200, {"tables": [result]})


def served(second: int, status: int, ms: float, *ids: str) -> Served:
    answer = Answer(status, b"", timedelta(milliseconds=ms))
    return Served(NOON + second * SECOND, frozenset(ids), answer)


def test_each_row_is_a_request_by_every_id_that_names_it_in_order_of_time(
    azure: Recorded, client: LogsClient
) -> None:
    later = row(2, status=424, ms=30, request="r2", client="c2")
    azure.give("POST", PATH, table(later, row(1), row(0, request="", client="c0")))

    found = read(client)

    assert found == ServedRead(
        [served(0, 200, 12.5, "c0"), served(1, 200, 12.5, "r1"), served(2, 424, 30, "r2", "c2")],
        NOON,
    )


def test_what_is_asked_for_is_one_deployment_of_one_endpoint_the_latest_first(
    azure: Recorded, client: LogsClient
) -> None:
    azure.give("POST", PATH, table())

    assert read(client, deployment='gr"een') == ServedRead([], NOON)

    (asked,) = azure.asked
    query = asked.json["query"]
    assert asked.json["timespan"] == "2026-03-02T12:00:00.000Z/2026-03-02T12:03:00.000Z"
    assert "TimeGenerated >= datetime(2026-03-02T12:00:00Z)" in query
    assert "TimeGenerated < datetime(2026-03-02T12:03:00Z)" in query
    assert 'AzureMLWorkspaceName =~ "scoring" and EndpointName =~ "churn"' in query
    assert 'DeploymentName =~ "gr\\"een"' in query
    assert f"_ResourceId startswith {quoted(CHURN.in_workspace.arm_id)}" in query
    assert query.split("|")[-2:] == [" order by at desc\n", f" take {logged.ROWS_MAX}\n"]


@pytest.mark.parametrize(
    "unknown",
    [row(1, status=None), row(1, ms=None), row(1, request=None), row(1, request="")],
    ids=["no status", "no duration", "no id", "an empty id"],
)
def test_a_row_that_says_too_little_is_no_request(
    unknown: list[Any], azure: Recorded, client: LogsClient
) -> None:
    azure.give("POST", PATH, table(row(2, request="r2"), unknown))

    assert list(read(client).served) == [served(2, 200, 12.5, "r2")]


def test_where_more_came_than_are_read_it_says_from_when_on_it_is_whole(
    azure: Recorded, client: LogsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logged, "ROWS_MAX", 2)
    azure.give("POST", PATH, table(row(9, request="r9"), row(7, request="r7")))

    found = read(client)

    assert azure.asked[0].json["query"].endswith("take 2\n")
    assert found.since == NOON + 7 * SECOND
    assert [one.at for one in found.served] == [NOON + 7 * SECOND, NOON + 9 * SECOND]


def test_no_row_may_be_without_a_time(azure: Recorded, client: LogsClient) -> None:
    azure.give("POST", PATH, table(["", 200, 1.0, "r1", None]))

    with pytest.raises(Refused, match="a row without a time"):
        read(client)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(429, failed("Throttled", "slow"), {"Retry-After": "17"}), Unavailable),
        (Reply(403, failed("InsufficientAccessError", f"no {TOKEN}")), Refused),
    ],
)
def test_a_no_has_its_error_and_no_secret(
    reply: Reply, error: type[RolloutError], azure: Recorded, client: LogsClient
) -> None:
    azure.give("POST", PATH, reply)

    with pytest.raises(error) as caught:
        read(client)

    assert TOKEN not in str(caught.value)


def test_its_lag_is_told_in_minutes_of_the_clock(client: LogsClient) -> None:
    assert LoggedAnswers(client, 2 * SECOND, lag_minutes=10).lag == 20 * SECOND
