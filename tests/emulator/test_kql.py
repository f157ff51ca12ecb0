"""The part of Kusto that is understood, and the clear no to the rest."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.monitor.kql import query
from emulator.monitor.kql.query import Table
from emulator.monitor.kql.words import QueryError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
COLUMNS = ("TimeGenerated", "DeploymentName", "EndpointName", "ResponseCode", "TotalDurationMs")
ROWS = [
    dict(zip(COLUMNS, (NOON + timedelta(seconds=s), d, "churn", c, ms), strict=True))
    for s, d, c, ms in [
        (5, "blue", 200, 10),
        (50, "blue", 424, 20),
        (61, "blue", 200, 30),
        (62, "green", 408, 5000),
    ]
]


def rows(text: str) -> list[tuple[Any, ...]]:
    found = query.run(text, {"T": Table(COLUMNS, ROWS)}, NOON + timedelta(minutes=2))
    return [tuple(row[name] for name in found.columns) for row in found.rows]


def test_errors_by_minute_and_deployment() -> None:
    found = rows("""
        T
        | where EndpointName =~ "CHURN" and TimeGenerated between (ago(10m) .. now())
        | summarize n=count(), e=countif(toint(ResponseCode) in (424, 408, 502, 504))
          by bin(TimeGenerated,1m), DeploymentName
        | order by TimeGenerated asc, DeploymentName asc
    """)

    assert found == [
        (NOON, "blue", 2, 1),
        (NOON + timedelta(minutes=1), "blue", 1, 0),
        (NOON + timedelta(minutes=1), "green", 1, 1),
    ]


def test_a_logarithmic_histogram_in_one_query() -> None:
    found = rows(
        "T | extend ms = todouble(TotalDurationMs) | where ms > 5.0"
        " | summarize n=count() by b=toint(floor(log(ms/5.0)/log(1.1), 1)) | order by b asc"
    )

    assert found == [(7, 1), (14, 1), (18, 1), (72, 1)]


def test_the_window_of_the_fact_sheet() -> None:
    found = rows("""
        T
        | where TimeGenerated between (datetime(2026-01-01T12:00Z) .. datetime(2026-01-01T12:10Z))
        | extend rc = toint(ResponseCode)
        | summarize requests = count(), model_err = countif(rc == 424), slow = countif(rc == 408),
                    platform = countif(rc >= 500), p50 = percentile(TotalDurationMs, 50)
          by DeploymentName
        | extend error_rate = todouble(model_err + slow) / requests
        | order by DeploymentName asc
    """)

    assert found == [("blue", 3, 1, 0, 0, 20, 1 / 3), ("green", 1, 0, 1, 0, 5000, 1.0)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("T | where ResponseCode == 424 or DeploymentName == 'green' | project ResponseCode",
         [(424,), (408,)]),
        ("T | where not_there == 1", "not_there"),
        ("T | take 1 | project code = ResponseCode, DeploymentName", [(200, "blue")]),
        ("T | order by TotalDurationMs | take 1 | project TotalDurationMs", [(5000,)]),
        ("T | summarize count()", [(4,)]),
        ("T | where ResponseCode == 1 | summarize n = count(), a = avg(TotalDurationMs)",
         [(0, None)]),
        ("T | summarize avg(TotalDurationMs) by EndpointName", [("churn", 1265.0)]),
    ],
)  # fmt: skip
def test_small_queries(text: str, found: object) -> None:
    if isinstance(found, str):
        with pytest.raises(QueryError, match=found):
            rows(text)
    else:
        assert rows(text) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected a name"),
        ("U | take 1", "'U' is not a table"),
        ("T | join kind=inner (U) on x", "join is not played"),
        ("T | where strcat(DeploymentName, 'x') == 'y'", "strcat is not played"),
        ("T | summarize dcount(DeploymentName)", "dcount is not played"),
        ("T | take many", "whole number"),
        ("T | where (ResponseCode == 1", r"expected '\)'"),
        ("T take 1", "unexpected 'take'"),
        ("T | where ResponseCode ; 1", "unexpected character"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(QueryError, match=why):
        rows(text)


@pytest.mark.parametrize(
    ("test", "count"),
    [
        ('DeploymentName startswith "BL"', 3),
        ('DeploymentName startswith "lu"', 0),
        ('DeploymentName contains "LU"', 3),
        ('EndpointName startswith "churn" and DeploymentName startswith "g"', 1),
    ],
)
def test_a_part_of_a_text_is_found_in_any_case(test: str, count: int) -> None:
    assert rows(f"T | where {test} | summarize count()") == [(count,)]
