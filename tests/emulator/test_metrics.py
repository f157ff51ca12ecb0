"""Answers counted, and shown as Azure Monitor shows them."""

import pytest

from emulator.arm.refusals import Refusal
from emulator.monitor import filters, metrics, questions
from emulator.monitor.answers import Answer
from emulator.monitor.ledger import Ledger
from emulator.monitor.metrics import Visibility

EP = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices"
    "/workspaces/w/onlineEndpoints/churn"
)
SPAN = "1970-01-01T00:00:00Z/1970-01-01T00:03:00Z"
NOW = Visibility(now=180.0, lag=0.0, gap=None)
KNOWN = frozenset({"deployment", "statuscode"})


def a_ledger(grain: float = 60.0) -> Ledger:
    ledger = Ledger(grain)
    for at, deployment, status, ms in [
        (1, "blue", 200, 10.0),
        (2, "blue", 200, 30.0),
        (3, "blue", 424, 20.0),
        (4, "green", 200, 50.0),
        (130, "blue", 200, 70.0),
    ]:
        ledger.record(
            Answer(
                at=float(at),
                endpoint_id=EP,
                deployment=deployment,
                status=status,
                model_status=500 if status == 424 else status,
                total_ms=ms,
            )
        )
    return ledger


def series(
    ledger: Ledger, visible: Visibility = NOW, /, **query: str
) -> dict[tuple[str, ...], list[float | None]]:
    """The points of the first metric by dimension values."""
    question = questions.read(EP, {"timespan": SPAN, **query}, ledger.grain, 180.0)
    (value,) = metrics.answer(question, ledger, visible)
    return {
        tuple(one["value"] for one in line["metadatavalues"]): [
            point.get("average") for point in line["data"]
        ]
        for line in value["timeseries"]
    }


def test_counts_by_deployment_with_points_for_empty_minutes() -> None:
    found = series(a_ledger(), filter="deployment eq '*'")

    assert found == {("blue",): [3.0, None, 1.0], ("green",): [1.0, None, None]}


def test_counts_by_deployment_and_status() -> None:
    found = series(a_ledger(), filter="deployment eq 'BLUE' and statusCode eq '*'")

    assert found == {("blue", "200"): [2.0, None, 1.0], ("blue", "424"): [1.0, None, None]}


def test_what_the_container_said_is_a_dimension() -> None:
    found = series(a_ledger(), filter="modelStatusCode eq '500' or modelStatusCode eq '404'")

    assert found == {("500",): [1.0, None, None]}


def test_without_a_filter_there_is_one_series_of_all() -> None:
    assert series(a_ledger()) == {(): [4.0, None, 1.0]}


@pytest.mark.parametrize(
    ("name", "value"),
    [("RequestLatency", 20.0), ("requestlatency_p50", 20.0), ("RequestLatency_P99", 30.0)],
)
def test_latencies_are_of_one_minute_and_deployment(name: str, value: float) -> None:
    found = series(a_ledger(), metricnames=name, filter="deployment eq 'blue'")

    assert found == {("blue",): [value, None, 70.0]}


def test_top_cuts_the_series_silently() -> None:
    assert len(series(a_ledger(), filter="deployment eq '*'", top="1")) == 1


def test_a_short_grain_is_what_pt1m_means() -> None:
    span = "1970-01-01T00:00:00Z/1970-01-01T00:00:10Z"

    by_minute = series(a_ledger(5.0), interval="PT1M", timespan=span)

    assert by_minute == {(): [4.0, None]}
    assert by_minute == series(a_ledger(5.0), interval="PT5S", timespan=span)


def test_longer_intervals_average_their_minutes() -> None:
    assert series(a_ledger(), interval="PT3M") == {(): [2.5]}


def test_a_late_minute_and_a_gap_have_points_without_values() -> None:
    late = Visibility(now=200.0, lag=30.0, gap=None)
    gone = Visibility(now=200.0, lag=0.0, gap=(0.0, 60.0))

    assert series(a_ledger(), late) == {(): [4.0, None, None]}
    assert series(a_ledger(), gone) == {(): [None, None, 1.0]}


@pytest.mark.parametrize(
    "query",
    [
        {"metricnames": "Nonsense"},
        {"aggregation": "Total"},
        {"interval": "PT7S"},
        {"interval": "hourly"},
        {"timespan": "yesterday"},
        {"filter": "colour eq 'red'"},
        {"filter": "deployment eq"},
        {"filter": "deployment eq 'a' deployment"},
        {"metricnamespace": "microsoft.compute/virtualmachines"},
    ],
)
def test_what_cannot_be_answered_is_a_400(query: dict[str, str]) -> None:
    with pytest.raises(Refusal) as caught:
        series(a_ledger(), NOW, **query)

    assert caught.value.status == 400


def test_parentheses_and_quotes_in_filters() -> None:
    text = "(deployment eq 'it''s' or deployment eq 'b') and statuscode ne '200'"

    accepts = filters.parse(text, KNOWN).accepts

    assert accepts({"deployment": "it's", "statuscode": "424"})
    assert not accepts({"deployment": "b", "statuscode": "200"})
