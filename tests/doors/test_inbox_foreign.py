"""Every message of others that is documented is read, and says who, what and since when."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rollout.core.alert_labels import AlertLabels
from rollout.core.alerts import AlertSeverity
from rollout.core.events import AlertFired, AlertNotice, AlertResolved
from rollout.core.news import News
from rollout.core.rotation.expiry import Expiry
from rollout.core.start_on import Source, takes
from rollout.errors import Malformed
from rollout.inbox import (
    Handshake,
    Unread,
    read_alert,
    read_alertmanager,
    read_azure_devops,
    read_events,
    read_github,
)
from tests.builders import an_endpoint
from tests.doors.payloads import payload, raw

CHURN = an_endpoint().arm_id


def _at(hour: int, minute: int, second: int = 0, microsecond: int = 0) -> datetime:
    return datetime(2026, 3, 2, hour, minute, second, microsecond, tzinfo=UTC)


# -- alerts of Azure Monitor -------------------------------------------------------------------

METRIC_WINDOW = _at(12, 0, 12, 101000)


@pytest.mark.parametrize(
    ("name", "kind", "severity", "named", "began"),
    [
        ("alert_metric_static", AlertFired, "Sev2", ("green",), METRIC_WINDOW),
        ("alert_metric_static_resolved", AlertResolved, "Sev2", ("green",), METRIC_WINDOW),
        ("alert_metric_dynamic", AlertFired, "Sev1", ("blue",), METRIC_WINDOW),
        ("alert_log_v2", AlertFired, "Sev1", ("green",), _at(11, 55)),
        ("alert_log_v2_resolved", AlertResolved, "Sev1", ("green",), _at(11, 55)),
        ("alert_log_v1", AlertFired, "Sev1", ("green",), _at(11, 50, 31)),
        ("alert_activity_log", AlertFired, "Sev4", (), None),
    ],
)
def test_every_variant_of_the_common_schema_is_read(
    name: str,
    kind: type[AlertNotice],
    severity: str,
    named: tuple[str, ...],
    began: datetime | None,
) -> None:
    ((endpoint, notice),) = read_alert(raw(payload(f"azure/{name}"))).notices

    assert (endpoint, type(notice)) == (CHURN, kind)
    assert notice.severity == AlertSeverity(severity)
    assert (notice.deployments, notice.began_at) == (named, began)
    assert notice.fired_at == _at(12, 5, 40, 123456)


@pytest.mark.parametrize("name", ["alert_metric_static", "alert_log_v2"])
def test_an_alert_and_its_end_are_the_same_alert(name: str) -> None:
    ((_, fired),) = read_alert(raw(payload(f"azure/{name}"))).notices
    ((_, resolved),) = read_alert(raw(payload(f"azure/{name}_resolved"))).notices

    assert (fired.key, fired.rule) == (resolved.key, resolved.rule)
    assert fired.id != resolved.id


# -- alerts of Alertmanager --------------------------------------------------------------------


def _group(**labels: str) -> bytes:
    group = payload("prometheus/alertmanager")
    (group["alerts"][0]["labels"]).update(labels)
    group["alerts"] = group["alerts"][:1]
    return raw(group)


def test_a_group_of_alertmanager_is_read_alert_by_alert() -> None:
    heard = read_alertmanager(raw(payload("prometheus/alertmanager")), AlertLabels())

    (first, fired), (second, resolved) = heard.notices
    assert (first, second) == ("churn", "ml/churn")
    assert (fired.rule, fired.severity, fired.deployments) == (
        "ChurnErrors",
        AlertSeverity.SEV1,
        ("green",),
    )
    assert isinstance(resolved, AlertResolved)
    assert fired.fired_at == _at(12, 5, 40, 123000)
    assert heard.told == ("alert NodeDown names no endpoint (label endpoint)",)


@pytest.mark.parametrize(
    ("word", "severity"), [("critical", "Sev1"), ("Warning", "Sev2"), ("info", "Sev3")]
)
def test_severities_have_their_usual_words(word: str, severity: str) -> None:
    ((_, notice),) = read_alertmanager(_group(severity=word), AlertLabels()).notices

    assert notice.severity == AlertSeverity(severity)


def test_an_unknown_severity_is_said_and_not_lost() -> None:
    heard = read_alertmanager(_group(severity="page"), AlertLabels())

    assert [notice.severity for _, notice in heard.notices] == [AlertSeverity.SEV2]
    assert "severity 'page' is not known and taken for Sev2" in heard.told[0]
    assert "ROLLOUT_ALERT_LABELS" in heard.told[0]


def test_labels_may_have_other_names() -> None:
    labels = AlertLabels.parse("endpoint=ml_endpoint, deployment=ml_deployment, page=Sev0")
    body = _group(ml_endpoint="fraud", ml_deployment="Red", severity="page")

    ((endpoint, notice),) = read_alertmanager(body, labels).notices

    assert (endpoint, notice.deployments, notice.severity) == (
        "fraud",
        ("red",),
        AlertSeverity.SEV0,
    )


@pytest.mark.parametrize("text", ["endpoint", "endpoint=", "page=high", "=x"])
def test_labels_that_are_not_understood_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        AlertLabels.parse(text)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": "3"}, "version"),
        ({"alerts": [{"status": "pending"}]}, "alerts.0.status"),
        ({"alerts": None}, "alerts"),
    ],
)
def test_another_format_of_alertmanager_is_malformed(change: dict[str, Any], told: str) -> None:
    body = raw({**payload("prometheus/alertmanager"), **change})

    with pytest.raises(Malformed, match=told):
        read_alertmanager(body, AlertLabels())


# -- GitHub ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "source", "some"),
    [
        (
            "workflow_run",
            Source.GITHUB_WORKFLOW_RUN,
            {"workflow": "release", "branch": "main", "run_number": "41", "short_sha": "8a2f6e1"},
        ),
        (
            "deployment",
            Source.GITHUB_DEPLOYMENT,
            {"environment": "production", "payload.inputs.version": "7", "creator": "anna"},
        ),
        (
            "deployment_status",
            Source.GITHUB_DEPLOYMENT_STATUS,
            {"state": "success", "payload.deployment": "green", "repository": "contoso/churn"},
        ),
    ],
)
def test_the_events_of_github_bring_their_values(
    event: str, source: Source, some: dict[str, str]
) -> None:
    news = read_github(event, "d-1", raw(payload(f"github/{event}")))

    assert isinstance(news, News)
    assert (news.source, news.who) == (source, "anna (GitHub)")
    assert news.values.items() >= some.items()
    assert all(takes(source, name) for name in news.values)


def test_another_delivery_of_the_same_body_is_the_same_news() -> None:
    body = raw(payload("github/workflow_run"))

    first, again = (read_github("workflow_run", name, body) for name in ("d-1", "d-2"))

    assert isinstance(first, News)
    assert first == again


def test_what_is_empty_is_not_a_value() -> None:
    run = payload("github/workflow_run")
    run["workflow_run"]["conclusion"] = None

    news = read_github("workflow_run", "d", raw(run))

    assert isinstance(news, News)
    assert "conclusion" not in news.values


def test_other_events_of_github_say_that_they_start_nothing() -> None:
    told = read_github("push", "d-1", b"not even read")

    assert told == (
        "the event push starts nothing; read are workflow_run, deployment, deployment_status"
    )
    assert str(read_github("ping", "d-1", raw(payload("github/ping")))).startswith("pong")


@pytest.mark.parametrize(
    ("delivery", "body", "told"),
    [
        ("", raw(payload("github/workflow_run")), "X-GitHub-Delivery: missing"),
        (
            "d",
            b'{"workflow_run": {"updated_at": "now"}}',
            "workflow_run.updated_at: missing, or no",
        ),
        ("d", b"payload=%7B%7D", "choose the content type application/json"),
        ("d", b"[]", "must be a JSON object"),
        ("d", b"{", "not JSON"),
    ],
)
def test_a_delivery_that_cannot_be_read_is_malformed(delivery: str, body: bytes, told: str) -> None:
    with pytest.raises(Malformed, match=told):
        read_github("workflow_run", delivery, body)


# -- Azure DevOps ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source", "some"),
    [
        (
            "build_complete",
            Source.AZURE_BUILD,
            {"project": "ml", "definition": "churn-release", "build_number": "20260302.1"},
        ),
        (
            "release_completed",
            Source.AZURE_RELEASE,
            {"environment": "prod", "release": "Release-7", "status": "succeeded"},
        ),
        (
            "run_state_changed",
            Source.AZURE_PIPELINE_RUN,
            {"pipeline": "churn-cd", "run_id": "44", "parameters.deployment": "churn-44"},
        ),
    ],
)
def test_the_events_of_azure_devops_bring_their_values(
    name: str, source: Source, some: dict[str, str]
) -> None:
    news = read_azure_devops(raw(payload(f"azure_devops/{name}")))

    assert isinstance(news, News)
    assert news.source is source
    assert news.id == "azure-devops:4a5d99d6-1c75-4e53-91b9-ee80057d4ce3"
    assert news.values.items() >= some.items()
    assert all(takes(source, name) for name in news.values)


def test_a_hook_without_its_resource_says_what_to_choose() -> None:
    hook = {**payload("azure_devops/build_complete"), "resource": None}

    with pytest.raises(Malformed, match="Resource details to send, All"):
        read_azure_devops(raw(hook))


def test_a_hook_that_tells_no_time_is_malformed() -> None:
    hook = {**payload("azure_devops/build_complete"), "createdDate": "yesterday"}

    with pytest.raises(Malformed, match="createdDate: missing, or no time"):
        read_azure_devops(raw(hook))


def test_other_events_of_azure_devops_say_that_they_start_nothing() -> None:
    told = read_azure_devops(raw({"id": "1", "eventType": "git.push"}))

    assert "the event git.push starts nothing; read are build.complete" in str(told)


# -- Event Grid --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["event_model_registered", "event_model_registered_cloud"])
def test_a_registered_model_is_read_in_both_schemas(name: str) -> None:
    (news,) = read_events(raw(payload(f"azure/{name}")))

    assert isinstance(news, News)
    assert news.source is Source.MODEL_REGISTERED
    assert news.values == {
        "workspace": "ml",
        "model": "churn",
        "model_version": "7",
        "tags.stage": "candidate",
    }
    assert news.workspace is not None
    assert news.workspace.arm_id == an_endpoint().in_workspace.arm_id


def test_one_event_has_one_id_in_both_schemas() -> None:
    names = ("event_model_registered", "event_model_registered_cloud")
    ids = {
        news.id
        for name in names
        for news in read_events(raw(payload(f"azure/{name}")))
        if isinstance(news, News)
    }

    assert len(ids) == 1


def test_a_written_deployment_names_its_endpoint() -> None:
    (news,) = read_events(raw(payload("azure/event_deployment_written")))

    assert isinstance(news, News)
    assert (news.source, news.endpoint) == (Source.DEPLOYMENT_WRITTEN, an_endpoint())
    assert news.values["deployment"] == "green"


@pytest.mark.parametrize("schema", ["", "_cloud"])
@pytest.mark.parametrize(("name", "expired"), [("near_expiry", False), ("expired", True)])
def test_a_secret_that_expires_is_read_however_its_names_are_written(
    name: str, schema: str, expired: bool
) -> None:
    (heard,) = read_events(raw(payload(f"azure/event_secret_{name}{schema}")))

    assert heard == Expiry(
        vault="ops",
        name="churn-key",
        version="ee059b2bb5bc48398a53b168c6cdcb10",  # pragma: allowlist secret
        expired=expired,
    )


def test_a_handshake_brings_its_code() -> None:
    events = read_events(raw(payload("azure/event_validation")))

    assert events == (Handshake("512d38b6-c7b8-40c8-89fe-f46f9e9622b6"),)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"eventType": "Microsoft.Storage.BlobCreated"}, "means nothing here; read are Microsoft"),
        ({"topic": "/subscriptions/s"}, "is not the ARM id of a workspace"),
        ({"data": {}}, "no ModelName or ModelVersion"),
        ({"eventTime": None}, "eventTime: missing; without it a repeat would not be known"),
    ],
)
def test_an_event_that_means_nothing_says_so(change: dict[str, Any], told: str) -> None:
    (event,) = payload("azure/event_model_registered")

    (unread,) = read_events(raw({**event, **change}))

    assert isinstance(unread, Unread)
    assert told in unread.why


def test_a_written_deployment_that_tells_no_time_starts_nothing() -> None:
    (event,) = payload("azure/event_deployment_written")

    (unread,) = read_events(raw({**event, "eventTime": None}))

    assert isinstance(unread, Unread)
    assert unread.why == "eventTime: missing; without it a repeat would not be known"


@pytest.mark.parametrize(
    "resource", ["/subscriptions/s/resourceGroups/rg", "ENDPOINT", "ENDPOINT/deployments/a/b"]
)
def test_what_was_written_may_be_no_deployment(resource: str) -> None:
    (event,) = payload("azure/event_deployment_written")
    event["data"]["resourceUri"] = resource.replace("ENDPOINT", CHURN)

    (unread,) = read_events(raw(event))

    assert isinstance(unread, Unread)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"?", "not JSON"),
        (b"[1]", r"\[0\]: an event is a JSON object"),
        (raw([{"id": "1"}]), r"\[0\].eventType: Field required; send Event Grid's own schema"),
        (raw({"specversion": "1.0", "id": "1"}), r"\[0\].type"),
        (raw([{}] * 501), "at most 500"),
    ],
)
def test_what_is_no_event_is_malformed(body: bytes, told: str) -> None:
    with pytest.raises(Malformed, match=told):
        read_events(body)
