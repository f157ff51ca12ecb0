"""Exact rows against the emulator: what the judge says of them is what counting the rows says."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from rollout.adapters.azure.batch import MetricsBatch
from rollout.adapters.azure.identity import EmulatorCredential
from rollout.adapters.azure.kql_guard import KqlGuard
from rollout.adapters.azure.logs import TABLE, LogMetrics, LogsClient
from rollout.adapters.azure.monitor import MonitorMetrics
from rollout.adapters.azure.pipeline import ArmClient
from rollout.adapters.custom_guards import GuardsByKind
from rollout.analysis.judge import Terms, judge
from rollout.analysis.report import Guard, Kind, Metric, Verdict
from rollout.analysis.samples import Counts, Minute
from rollout.analysis.samples import Samples as Counted
from rollout.core.endpoint import EndpointId, WorkspaceId
from rollout.core.rollout import Phase, Rollout, Share
from rollout.core.source import Source
from rollout.errors import Refused, Unavailable
from rollout.looks import Looks
from rollout.measuring import Sources
from rollout.ports import Metrics, Question
from tests.builders import a_head, a_policy, a_rollout, a_view, split
from tests.emulator.running import EmulatorHandle, eventually, running_emulator
from tests.fakes import FakeClock, FakeSamples

pytestmark = pytest.mark.journey

MINUTE = timedelta(seconds=2)
BLUE, GREEN = "blue", "green"
SCRIPT = """
import json
import time


def init():
    pass


def run(data):
    asked = json.loads(data)
    time.sleep(asked.get("slow", 0))
    if asked.get("fail"):
        raise ValueError("as asked")
    return "ok"
"""


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorHandle]:
    with running_emulator("--grain-seconds", f"{MINUTE.total_seconds()}") as running:
        yield running


@pytest.fixture(scope="module")
def churn(emulator: EmulatorHandle, tmp_path_factory: pytest.TempPathFactory) -> EndpointId:
    """An endpoint with two deployments, which has answered a known mix of requests."""
    code = tmp_path_factory.mktemp("code")
    (code / "score.py").write_text(SCRIPT)
    emulator.endpoint("churn")
    for name in (BLUE, GREEN):
        emulator.deploy("churn", name, code)
    emulator.endpoint("churn", {BLUE: 70, GREEN: 30})
    _traffic(emulator)
    return WorkspaceId.parse(emulator.workspace_id).endpoint("churn")


def _traffic(emulator: EmulatorHandle) -> None:
    """Every deployment is asked by its header, so that it is known who answered what."""
    key = emulator.key("churn")
    url = f"{emulator.url}/inference/{emulator.location}/churn/score"
    with requests.Session() as session:
        for place in range(160):
            name = GREEN if place % 4 == 0 else BLUE
            body: dict[str, Any] = {"fail": place % 20 == 0, "slow": 0.03 if place % 8 == 0 else 0}
            headers = {"Authorization": f"Bearer {key}", "azureml-model-deployment": name}
            session.post(url, json=body, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def client(emulator: EmulatorHandle) -> Iterator[LogsClient]:
    client = LogsClient(emulator.url, "any-workspace", EmulatorCredential())
    yield client
    client.close()


@pytest.fixture(scope="module")
def arm(emulator: EmulatorHandle) -> Iterator[ArmClient]:
    client = ArmClient(emulator.url, EmulatorCredential())
    yield client
    client.close()


def rows(client: LogsClient, since: datetime, until: datetime) -> list[Any]:
    """Every row of the traffic log, as it is."""
    query = "AmlOnlineEndpointTrafficLog | where EndpointName == 'churn'"
    return list(client.ask(query, since, until))


def span() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - 60 * MINUTE, now + MINUTE


# -- the port Metrics, on each of its implementations ----------------------------------------------


@pytest.fixture(params=["metrics", "batch", "logs"])
def metrics(request: pytest.FixtureRequest, arm: ArmClient, client: LogsClient) -> Metrics:
    made: dict[str, Metrics] = {
        "metrics": MonitorMetrics(arm, MINUTE),
        "batch": MonitorMetrics(arm, MINUTE, batch=MetricsBatch(arm, arm.base_url)),
        "logs": LogMetrics(client, MINUTE),
    }
    return made[request.param]


def test_every_request_is_counted_once_by_minute_deployment_and_status(
    metrics: Metrics, churn: EndpointId, client: LogsClient
) -> None:
    since, until = span()
    wanted = Counter(
        (row["DeploymentName"], row["ResponseCode"]) for row in rows(client, since, until)
    )

    found: Counter[tuple[str, int]] = Counter()
    minutes = metrics.read(churn, since, until)
    for arms in minutes.values():
        for name, counts in arms.items():
            found.update({(name, status): n for status, n in counts.statuses.items()})

    assert wanted.total() == 160
    assert found == wanted
    assert list(minutes) == sorted(minutes)
    assert all((at - datetime.fromtimestamp(0, UTC)) % MINUTE == timedelta(0) for at in minutes)


def test_a_minute_that_is_not_whole_is_not_read(metrics: Metrics, churn: EndpointId) -> None:
    minutes = metrics.read(churn, *span())
    last = max(minutes)

    half = metrics.read(churn, last - MINUTE + MINUTE / 4, last + MINUTE / 2)

    assert set(half) <= {at for at in minutes if last - MINUTE + MINUTE / 4 <= at < last}
    assert metrics.read(churn, last, last + MINUTE / 2) == {}


def test_another_endpoint_is_not_counted(metrics: Metrics, churn: EndpointId) -> None:
    other = churn.model_copy(update={"name": "churn2"})

    if metrics.source == "logs":
        assert metrics.read(other, *span()) == {}
    else:
        assert not any(arms for arms in metrics.read(other, *span()).values())


def test_what_is_down_is_unavailable(
    metrics: Metrics, churn: EndpointId, emulator: EmulatorHandle
) -> None:
    emulator.switch(metrics_down=True, logs_down=True)
    try:
        with pytest.raises(Unavailable, match="503"):
            metrics.read(churn, *span())
    finally:
        emulator.switch(metrics_down=False, logs_down=False)


# -- histograms ------------------------------------------------------------------------------------


def test_the_histogram_is_that_of_the_rows(churn: EndpointId, client: LogsClient) -> None:
    since, until = span()
    wanted: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for row in rows(client, since, until):
        ms = max(1.0, row["TotalDurationMs"])
        wanted[row["DeploymentName"]][math.floor(math.log(ms / 5) / math.log(1.1))] += 1

    found: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for arms in LogMetrics(client, MINUTE).read(churn, since, until).values():
        for name, counts in arms.items():
            found[name].update(counts.bins or {})
            assert sum((counts.bins or {}).values()) == counts.requests

    assert found == wanted
    assert max(found[GREEN]) >= math.floor(math.log(30 / 5) / math.log(1.1))


# -- a whole look ----------------------------------------------------------------------------------


def test_a_rollout_on_logs_is_judged_by_exactly_its_rows(
    churn: EndpointId, client: LogsClient, arm: ArmClient, emulator: EmulatorHandle
) -> None:
    guards = (
        {"metric": "error_rate", "worse_by_ratio": 1.25, "worse_by_points": 0.01},
        {"metric": "latency_p95", "worse_by_ratio": 1.1, "severity": "hold"},
    )
    since, until = _whole(rows(client, *span()))
    rollout = _measuring(churn, since, a_policy(guards=guards, source="logs"))
    clock = FakeClock(until + 10 * MINUTE, MINUTE)
    sources = Sources(
        endpoints=_Seen(),  # type: ignore[arg-type]
        metrics=MonitorMetrics(arm, MINUTE),
        samples=FakeSamples(),
        policies=None,  # type: ignore[arg-type]
        clock=clock,
        logs=LogMetrics(client, MINUTE, lag_minutes=10),
    )

    looked = Looks(sources, (churn.in_workspace,), "here").look(
        a_head(rollout).model_copy(update={"endpoint": churn}), "look"
    )

    assert looked.trouble is None
    assert looked.report is not None
    assert looked.lag == 10 * MINUTE
    wanted = judge(
        _by_hand(rows(client, *span()), since, until),
        rollout.policy.guards,
        Terms(planned_minutes=10),
    )
    errors, latency = looked.report.findings
    by_hand_errors, by_hand_latency = wanted.findings
    assert latency.evidence is not None
    assert latency.evidence.kind is Kind.HISTOGRAMS
    assert (errors.canary, errors.baseline) == (by_hand_errors.canary, by_hand_errors.baseline)
    assert (latency.canary, latency.baseline) == (by_hand_latency.canary, by_hand_latency.baseline)
    assert looked.report == wanted
    assert looked.load is not None


class _Seen:
    """An endpoint that shows what was wanted."""

    def read(self, endpoint: EndpointId) -> Any:
        return a_view(split(30)).model_copy(update={"id": endpoint})


def _whole(found: list[Any]) -> tuple[datetime, datetime]:
    """From the first whole minute with a row to the end of the last."""
    times = [row["TimeGenerated"] for row in found]
    epoch = datetime.fromtimestamp(0, UTC)
    first = epoch + ((min(times) - epoch) // MINUTE) * MINUTE
    return first, epoch + ((max(times) - epoch) // MINUTE + 1) * MINUTE


def _measuring(churn: EndpointId, since: datetime, policy: Any) -> Rollout:
    rollout = a_rollout(Phase.MEASURING, policy=policy)
    order = rollout.order.model_copy(update={"endpoint": churn})
    share = Share(since=since, percent=30, stage="canary 5 %")
    return rollout.model_copy(
        update={
            "order": order,
            "source": Source.LOGS,
            "minute": MINUTE,
            "started_at": since,
            "share_since": since,
            "shares": (share,),
            "evidence_since": since,
        }
    )


def _by_hand(found: list[Any], since: datetime, until: datetime) -> Counted:
    """The judge's samples, counted row by row."""
    arms: defaultdict[datetime, dict[str, tuple[Counter[int], Counter[int]]]] = defaultdict(
        lambda: {BLUE: (Counter(), Counter()), GREEN: (Counter(), Counter())}
    )
    for row in found:
        at = since + ((row["TimeGenerated"] - since) // MINUTE) * MINUTE
        statuses, bins = arms[at][row["DeploymentName"]]
        statuses[row["ResponseCode"]] += 1
        ms = max(1.0, row["TotalDurationMs"])
        bins[math.floor(math.log(ms / 5) / math.log(1.1))] += 1
    minutes = []
    at = since
    while at < until:
        green, blue = (
            Counts(dict(statuses), bins=dict(bins)) if statuses else Counts()
            for statuses, bins in (arms[at][GREEN], arms[at][BLUE])
        )
        gap = not green.requests and not blue.requests
        minutes.append(Minute(at, 30, None if gap else green, None if gap else blue))
        at += MINUTE
    return Counted(tuple(minutes))


# -- guards in KQL ---------------------------------------------------------------------------------

FAILURES = """AmlOnlineEndpointTrafficLog
| where TimeGenerated >= datetime({since}) and TimeGenerated < datetime({until})
| where EndpointName =~ "{endpoint}"
| summarize requests = count(), failures = countif(ResponseCode == 424)
    by minute = bin(TimeGenerated, {minute}), deployment = DeploymentName
"""
SLOW = """AmlOnlineEndpointTrafficLog
| where TimeGenerated >= datetime({since}) and TimeGenerated < datetime({until})
| where EndpointName =~ "{endpoint}" and DeploymentName == "{deployment}"
| summarize value = max(TotalDurationMs)
"""


def asked_of(churn: EndpointId, client: LogsClient, guard: Guard) -> Any:
    since, until = _whole(rows(client, *span()))
    question = Question(churn, GREEN, BLUE, since, until, MINUTE, "r1", "canary 30 %")
    guards = GuardsByKind({"kql": KqlGuard(client, MINUTE, 10)})
    return guards.read(guard, question), until


def test_a_kql_guard_counts_what_the_log_has(churn: EndpointId, client: LogsClient) -> None:
    guard = Guard(name="failures", kql=FAILURES, worse_by_points=0.01)

    minutes, _ = asked_of(churn, client, guard)

    total = sum(
        (Counter(arms[GREEN].statuses) for arms in minutes.values() if GREEN in arms), Counter()
    )
    assert total == {200: 32, 500: 8}


def test_a_kql_guard_reads_one_number(churn: EndpointId, client: LogsClient) -> None:
    guard = Guard(name="slowest", kql=SLOW, at_most=1000)

    minutes, until = asked_of(churn, client, guard)

    assert list(minutes) == [until - MINUTE]
    assert 30 <= minutes[until - MINUTE][GREEN].value <= 5000


def test_counts_are_held_to_a_rate_and_not_to_a_number(
    churn: EndpointId, client: LogsClient
) -> None:
    minutes, _ = asked_of(churn, client, Guard(name="failures", kql=FAILURES, at_most=0.5))
    assert minutes

    with pytest.raises(Refused, match="a rate from 0 to 1, and at_most is 5"):
        asked_of(churn, client, Guard(name="failures", kql=FAILURES, at_most=5))


@pytest.mark.parametrize(
    ("kql", "said"),
    [
        ("where Nonsense == '{endpoint}'", "Nonsense"),
        ("summarize n = count() by deployment = DeploymentName", "minute, requests, failures"),
        ("summarize value = count()", "column deployment"),
        (
            "summarize n = count() by deployment = DeploymentName, minute = bin(TimeGenerated, 1s)",
            "whole",
        ),
    ],
)
def test_a_query_that_cannot_be_a_guard_says_why(
    churn: EndpointId, client: LogsClient, kql: str, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        asked_of(churn, client, Guard(name="odd", kql=f"{TABLE} | {kql}", worse_by_points=0.01))


def test_a_rate_told_by_kql_is_judged_by_its_own_minutes(
    churn: EndpointId, client: LogsClient
) -> None:
    """Green fails 8 of 40, blue none of 120: that is evidence, whoever counted it."""
    guard = Guard(name="failures", kql=FAILURES, worse_by_points=0.01)
    minutes, _ = asked_of(churn, client, guard)
    own = Counted(
        tuple(
            Minute(at, 30, arms.get(GREEN, Counts()), arms.get(BLUE, Counts()))
            for at, arms in sorted(minutes.items())
        )
    )

    report = judge(Counted(), (guard,), Terms(), {"failures": own})

    assert report.verdict is Verdict.FAIL
    assert report.findings[0].because.startswith("failures: canary 8 of ")
    assert report.findings[0].guard.metric is Metric.CUSTOM


def test_rows_come_late_as_the_logs_do(
    churn: EndpointId, client: LogsClient, emulator: EmulatorHandle
) -> None:
    emulator.switch(logs_lag_seconds=3600)
    try:
        assert LogMetrics(client, MINUTE).read(churn, *span()) == {}
    finally:
        emulator.switch(logs_lag_seconds=0)
    eventually(lambda: LogMetrics(client, MINUTE).read(churn, *span()))
