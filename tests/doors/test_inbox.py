"""What others send is read into our nouns, or turned away with the place and the remedy."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rollout import inbox
from rollout.core.alerts import AlertSeverity
from rollout.core.callers import Caller
from rollout.core.events import AlertFired, AlertResolved
from rollout.core.head import Wake
from rollout.core.rollout import Order
from rollout.errors import Malformed
from rollout.inbox import CommandBody, StartBody, read_alert, read_body, read_wake
from tests.builders import an_endpoint

CHURN = an_endpoint().arm_id
FIRED_AT = datetime(2026, 3, 2, 12, 0, 1, 371321, tzinfo=UTC)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _start(**changes: Any) -> bytes:
    return _json({"endpoint": "churn", "deployment": "green", "who": "ci", **changes})


def _alert(context: object = None, **essentials: Any) -> bytes:
    told = {
        "alertId": "/subscriptions/s/providers/Microsoft.AlertsManagement/alerts/a1",
        "alertRule": "too many errors",
        "severity": "Sev1",
        "signalType": "Metric",
        "monitorCondition": "Fired",
        "alertTargetIDs": [CHURN],
        "firedDateTime": "2026-03-02T12:00:01.3713213Z",
        "essentialsVersion": "1.0",
        **essentials,
    }
    data = {"essentials": told, "alertContext": context, "customProperties": None}
    return _json({"schemaId": "azureMonitorCommonAlertSchema", "data": data})


def _metric(*names: str) -> dict[str, Any]:
    dimensions = [{"name": "deployment", "value": name} for name in names]
    criteria = [{"metricName": "RequestsPerMinute", "dimensions": dimensions}]
    return {
        "conditionType": "SingleResourceMultipleMetricCriteria",
        "condition": {"windowSize": "PT5M", "allOf": criteria},
    }


LOG = {
    "conditionType": "LogQueryCriteria",
    "allOf": [{"searchQuery": "q", "dimensions": [{"name": "DeploymentName", "value": "green"}]}],
}
ACTIVITY = {"operationName": "Microsoft.MachineLearningServices/…/write", "claims": "{}"}


# -- bodies ------------------------------------------------------------------------------------


def test_a_start_becomes_an_order() -> None:
    body = read_body(_start(policy="careful", why="release 41"), StartBody)

    assert body.order(an_endpoint(), Caller(None)) == Order(
        endpoint=an_endpoint(), deployment="green", policy="careful", who="ci", why="release 41"
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"who": NaN}', "not JSON"),
        (b"[]", "must be a JSON object; known keys: endpoint, deployment"),
        (
            _json({"endpoint": "churn", "who": "ci"}),
            "deployment: missing; it is the new deployment",
        ),
        (_start(polcy="p"), "polcy: unknown key; did you mean policy? known: endpoint"),
        (_start(adopt="yes"), "adopt: Input should be a valid boolean"),
        (_start(deployment="../x"), "deployment: "),
        (_start(who="a\nb"), "who: "),
        (_start(who=""), "who: "),
        (_start(why="x" * 2001), "why: "),
        (_start(why="\x1b[2J"), "why: "),
    ],
)
def test_a_wrong_start_is_told_where_and_what_to_do(body: bytes, told: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_body(body, StartBody)

    assert told in str(caught.value)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(Malformed) as caught:
        read_body(b'{"why": 1, "x": 2}', StartBody)

    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "endpoint",
        "deployment",
        "why",
        "x",
    ]


def test_a_body_that_is_too_large_is_not_parsed() -> None:
    with pytest.raises(inbox.TooLarge, match="at most 262144"):
        read_body(b"{" * (inbox.BYTES_MAX + 1), StartBody)


@pytest.mark.parametrize("depth", [33, 150, 100_000])
def test_a_body_that_is_nested_too_deeply_is_refused(depth: int) -> None:
    with pytest.raises(Malformed):
        read_body(b'{"who":' + b"[" * depth + b"]" * depth + b"}", CommandBody)


def test_a_body_may_be_nested_32_deep() -> None:
    assert inbox.read_json(b"[" * 32 + b"]" * 32)


@pytest.mark.parametrize("name", ["churn", "ml/churn", CHURN, "Churn-2"])
def test_an_endpoint_has_three_names(name: str) -> None:
    assert inbox.endpoint_name(name) == name


@pytest.mark.parametrize("name", ["", "a/b/c", "churn?x=1", "../churn/", "a b", f"{CHURN}#x", "/"])
def test_what_cannot_be_an_endpoint_is_refused(name: str) -> None:
    with pytest.raises(Malformed, match="cannot be an endpoint"):
        inbox.endpoint_name(name)


# -- messages ----------------------------------------------------------------------------------


def test_a_wake_comes_back_as_it_was_sent() -> None:
    wake = Wake(endpoint=an_endpoint(), generation=3, turn=7, attempt=1)

    assert read_wake(wake.model_dump_json().encode()) == wake


def test_a_strange_message_is_malformed() -> None:
    with pytest.raises(Malformed, match="turn: missing"):
        read_wake(_json({"endpoint": an_endpoint().model_dump(), "generation": 1}))


# -- alerts ------------------------------------------------------------------------------------


def test_a_metric_alert_names_endpoint_deployment_and_time() -> None:
    ((endpoint, event),) = read_alert(_alert(_metric("green"))).notices

    assert endpoint == CHURN
    assert event == AlertFired(
        id=event.id,
        rule="too many errors",
        severity=AlertSeverity.SEV1,
        key=event.key,
        deployments=("green",),
        fired_at=FIRED_AT,
    )


@pytest.mark.parametrize(
    ("context", "blamed"),
    [
        (_metric("Green"), ("green",)),
        (_metric("green", "blue"), ("blue", "green")),
        (_metric("a", "b", "c", "d", "e"), ()),
        (_metric("*"), ()),
        (_metric(), ()),
        (LOG, ("green",)),
        (ACTIVITY, ()),
        (None, ()),
        ({"dimensions": "odd"}, ()),
    ],
)
def test_the_deployment_is_blamed_that_the_dimensions_name(
    context: object, blamed: tuple[str, ...]
) -> None:
    ((_, event),) = read_alert(_alert(context)).notices

    assert event.deployments == blamed


def test_a_target_that_is_a_deployment_names_it() -> None:
    targets = [f"{CHURN}/deployments/green", CHURN]

    ((endpoint, event),) = read_alert(_alert(alertTargetIDs=targets)).notices

    assert (endpoint, event.deployments) == (CHURN, ("green",))


def test_one_alert_may_be_about_several_endpoints() -> None:
    other = an_endpoint("fraud")

    fired = read_alert(_alert(alertTargetIDs=[CHURN, other.arm_id, "/subscriptions/s"])).notices

    assert [endpoint for endpoint, _ in fired] == [CHURN, other.arm_id]


def test_one_firing_has_one_id_however_often_it_comes() -> None:
    ids = {
        read_alert(_alert(**changes)).notices[0][1].id
        for changes in ({}, {}, {"firedDateTime": "2026-03-02T13:00:00Z"}, {"alertId": "a2"})
    }

    assert len(ids) == 3
    assert all(len(one) < 30 for one in ids)


def test_the_name_of_a_rule_is_one_line() -> None:
    ((_, event),) = read_alert(_alert(alertRule="a\x1b[2J\nb" + "x" * 300)).notices

    assert event.rule.startswith("a [2J bxx")
    assert len(event.rule) == 200


def test_a_resolved_alert_is_the_same_alert_and_another_notice() -> None:
    ((_, fired),) = read_alert(_alert()).notices

    ((_, resolved),) = read_alert(_alert(monitorCondition="Resolved")).notices

    assert isinstance(resolved, AlertResolved)
    assert resolved.key == fired.key
    assert resolved.id != fired.id


def test_another_condition_is_told() -> None:
    alert = read_alert(_alert(monitorCondition="Acknowledged"))

    assert not alert.notices
    assert alert.told == ("alert too many errors is Acknowledged: nothing to do",)


def test_an_alert_about_something_else_says_what() -> None:
    alert = read_alert(_alert(alertTargetIDs=["/subscriptions/s/resourcegroups/rg"]))

    assert not alert.notices
    assert "is about /subscriptions/s/resourcegroups/rg" in alert.told[0]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (_json({"schemaId": "AzureMonitorMetricAlert", "data": {}}), "turn on the common alert"),
        (_json({"status": "Activated"}), "schemaId: missing; it is azureMonitorCommonAlertSchema"),
        (_alert(severity="Sev9"), "data.essentials.severity"),
        (_alert(firedDateTime="2026-03-02T12:00:00"), "data.essentials.firedDateTime"),
        (_alert(firedDateTime=None), "data.essentials.firedDateTime"),
    ],
)
def test_an_alert_in_another_schema_is_malformed(body: bytes, told: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_alert(body)

    assert told in str(caught.value)
