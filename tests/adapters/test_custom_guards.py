"""Guards of one's own, asked: what Prometheus and an HTTP address answer, and what it becomes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from rollout.adapters.custom_guards import GuardsByKind
from rollout.adapters.http_guard import HttpGuard
from rollout.adapters.outgoing import Outgoing
from rollout.adapters.prometheus import PrometheusGuard
from rollout.analysis.report import Guard
from rollout.analysis.samples import Counts, tallied
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.ports import Minutes, Question
from tests.adapters.recorded import CHURN, Recorded, Reply, recorded

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
QUESTION = Question(CHURN, "green", "blue", NOON, NOON + 3 * MINUTE, MINUTE, "r1", "canary 5 %")
RANGE = "/api/v1/query_range"
BY_LABEL = 'sum by (deployment) (increase(bad{endpoint="{endpoint}"}[{minute}]))'
REQUESTS = 'sum by (deployment) (increase(all{endpoint="{endpoint}"}[{minute}]))'
EACH = 'sum(increase(bad{pod=~"{deployment}-.*"}[{minute}]))'
RATE = Guard(name="slow", prometheus=BY_LABEL, of=REQUESTS, worse_by_points=0.01)


@pytest.fixture
def server() -> Iterator[Recorded]:
    with recorded() as server:
        yield server


def prometheus(server: Recorded) -> GuardsByKind:
    token = SecretStr("hush")
    one = PrometheusGuard(Outgoing(private=True), f"{server.url}/", MINUTE, token)
    return GuardsByKind({"prometheus": one})


def http(server: Recorded, **guard: Any) -> Minutes:
    guards = GuardsByKind({"http": HttpGuard(Outgoing(private=True))})
    return guards.read(Guard(name="ready", http=f"{server.url}/check", **guard), QUESTION)


def series(deployment: str | None, *values: Any) -> Any:
    """The values at the ends of the minutes since noon."""
    labels = {"deployment": deployment} if deployment else {}
    points = [
        [(NOON + place * MINUTE).timestamp(), str(value)] for place, value in enumerate(values, 1)
    ]
    return {"metric": labels, "values": points}


def matrix(*result: Any) -> Reply:
    return Reply(200, {"status": "success", "data": {"resultType": "matrix", "result": result}})


# -- Prometheus ------------------------------------------------------------------------------------


def test_counts_are_of_the_minute_that_ends_there(server: Recorded) -> None:
    """The requests are asked first; failures that are not there are none."""
    requests = matrix(series("green", 10.2, 12), series("blue", 190, "NaN"))
    server.give("POST", RANGE, requests, matrix(series("green", 1.1, 2)))

    assert prometheus(server).read(RATE, QUESTION) == {
        NOON: {"blue": tallied(190, 0), "green": tallied(10, 1)},
        NOON + MINUTE: {"green": tallied(12, 2)},
    }


def test_what_prometheus_is_asked(server: Recorded) -> None:
    server.give("POST", RANGE, matrix())

    assert prometheus(server).read(RATE, QUESTION) == {}

    assert parse_qs(server.asked[1].body.decode()) == {
        "query": ['sum by (deployment) (increase(bad{endpoint="churn"}[60s]))'],
        "start": [f"{(NOON + MINUTE).timestamp():.3f}"],
        "end": [f"{(NOON + 3 * MINUTE).timestamp():.3f}"],
        "step": ["60"],
    }
    assert server.asked[0].headers["Authorization"] == "Bearer hush"


def test_a_query_about_one_deployment_is_asked_of_each(server: Recorded) -> None:
    guard = Guard(name="slow", prometheus=EACH, of=EACH, worse_by_points=0.1)
    server.give("POST", RANGE, matrix(series(None, 5)), matrix(series(None, 7)))

    minutes = prometheus(server).read(guard, QUESTION)

    assert minutes == {NOON: {"green": tallied(5, 5), "blue": tallied(7, 7)}}
    asked = [parse_qs(one.body.decode())["query"][0] for one in server.asked]
    assert [("green-" in one, "blue-" in one) for one in asked] == [
        (True, False),
        (False, True),
    ] * 2


def test_a_number_is_the_canarys_at_the_end(server: Recorded) -> None:
    guard = Guard(name="queue", prometheus="max by (deployment) (q{e='{endpoint}'})", at_most=5)
    last = {"metric": {"deployment": "green"}, "values": [[QUESTION.until.timestamp(), "3.5"]]}
    server.give("POST", RANGE, matrix(last))

    assert prometheus(server).read(guard, QUESTION) == {
        NOON + 2 * MINUTE: {"green": Counts(value=3.5)}
    }


@pytest.mark.parametrize("result", [(), (series("blue", 1, 2, 3),), (series("green", 1, 2),)])
def test_a_number_that_is_not_there_is_no_reading(server: Recorded, result: Any) -> None:
    guard = Guard(name="queue", prometheus="max by (deployment) (q{e='{endpoint}'})", at_most=5)
    server.give("POST", RANGE, matrix(*result))

    assert prometheus(server).read(guard, QUESTION) == {}


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (Reply(400, {"status": "error", "error": "parse error"}), Refused, "parse error"),
        (Reply(503, {"status": "error", "error": "query timed out"}), Unavailable, "timed out"),
        (Reply(429, b"slow down"), Unavailable, "429"),
        (
            Reply(200, {"status": "success", "data": {"resultType": "scalar"}}),
            Refused,
            "not one of",
        ),
        (Reply(200, b"<html>"), Refused, "not one of"),
        (matrix(series(None, 1)), Refused, "label deployment"),
        (matrix(series("green", 1), series("green", 2)), Refused, "more than one series"),
        (matrix(series("green", -4)), Refused, "0 or more"),
    ],
)
def test_each_bad_answer_of_prometheus_has_its_error(
    server: Recorded, reply: Reply, error: type[RolloutError], said: str
) -> None:
    server.give("POST", RANGE, reply)

    with pytest.raises(error, match=said) as caught:
        prometheus(server).read(RATE, QUESTION)
    assert "hush" not in str(caught.value)


# -- HTTP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "guard", "reading"),
    [
        ({"pass": True}, {}, Counts(value=0.0)),
        (
            {"pass": False, "why": "batch 7\n is late"},
            {},
            Counts(value=1.0, said="batch 7 is late"),
        ),
        (0.25, {"at_most": 0.5}, Counts(value=0.25)),
        (3, {"at_most": 0.5}, Counts(value=3.0)),
    ],
)
def test_an_answer_is_a_reading_of_the_last_minute(
    server: Recorded, body: Any, guard: Any, reading: Counts
) -> None:
    server.give("POST", "/check", Reply(200, body))

    assert http(server, **guard) == {NOON + 2 * MINUTE: {"green": reading}}


def test_the_facts_are_told(server: Recorded) -> None:
    server.give("POST", "/check", Reply(200, {"pass": True}))
    server.give("GET", "/check", Reply(200, {"pass": True}))

    http(server)
    http(server, method="GET")

    facts = {
        "rollout": "r1",
        "workspace": "scoring",
        "endpoint": "churn",
        "canary": "green",
        "baseline": "blue",
        "stage": "canary 5 %",
        "since": "2026-03-02T12:00:00Z",
        "until": "2026-03-02T12:03:00Z",
    }
    assert server.sent("POST")[0].json == facts
    query = parse_qs(urlsplit(server.sent("GET")[0].target).query)
    assert query == {name: [value] for name, value in facts.items()}


@pytest.mark.parametrize(
    ("reply", "guard", "error", "said"),
    [
        (Reply(200, {"pass": None, "why": "no data yet"}), {}, Unavailable, "no data yet"),
        (Reply(200, {}), {}, Refused, "neither"),
        (Reply(200, {"pass": "yes"}), {}, Refused, "neither"),
        (Reply(200, {"pass": 1}), {}, Refused, "neither"),
        (Reply(200, b"true"), {"at_most": 1}, Refused, "neither"),
        (Reply(200, b"NaN"), {"at_most": 1}, Refused, "neither"),
        (Reply(200, b""), {}, Refused, "neither"),
        (Reply(200, 5), {}, Refused, "no at_most"),
        (Reply(200, {"pass": True}), {"at_most": 1}, Refused, "leave out at_most"),
        (Reply(404, {"pass": True}), {}, Refused, "404"),
        (Reply(204, b""), {}, Refused, "204"),
        (Reply(500, {"pass": True}), {}, Unavailable, "500"),
        (Reply(302, {"pass": True}), {}, Refused, "redirects"),
    ],
)
def test_what_is_not_an_answer_is_never_a_pass(
    server: Recorded, reply: Reply, guard: Any, error: type[RolloutError], said: str
) -> None:
    server.give("POST", "/check", reply)

    with pytest.raises(error, match=said):
        http(server, **guard)


def test_nobody_there_is_never_a_pass() -> None:
    guard = Guard(name="ready", http="http://127.0.0.1:9/check")

    with pytest.raises(Unavailable):
        HttpGuard(Outgoing(private=True)).read(guard, QUESTION)
    with pytest.raises(Refused, match="only https"):
        HttpGuard(Outgoing()).read(guard, QUESTION)


# -- what is set up --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        (Guard(name="a", kql="x"), "ROLLOUT_LOGS_WORKSPACE"),
        (Guard(name="a", prometheus="x"), "ROLLOUT_PROMETHEUS_URL"),
    ],
)
def test_a_guard_that_nobody_can_answer_names_the_setting(guard: Guard, said: str) -> None:
    guards = GuardsByKind({"http": HttpGuard(Outgoing())})

    assert said in (guards.missing(guard) or "")
    assert guards.missing(Guard(name="b", http="https://x.example/")) is None
    with pytest.raises(Refused, match=said):
        guards.read(guard, QUESTION)
