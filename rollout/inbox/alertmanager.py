"""Alerts of Prometheus Alertmanager: a group of them in one webhook call of version 4."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC
from typing import Annotated, Literal

from pydantic import Field

from rollout.core.alert_labels import AlertLabels
from rollout.core.alerts import RULE_MAX, AlertSeverity
from rollout.core.events import AlertFired, AlertNotice, AlertResolved
from rollout.errors import Malformed
from rollout.inbox.alerts import Alert, Foreign, Moment, alert_key, notice_id
from rollout.inbox.bodies import endpoint_name, one_line, read_body

ALERTS_AT_ONCE_MAX = 200
_UNKNOWN = AlertSeverity.SEV2
_TOLD_MAX = 60


class AlertmanagerAlert(Foreign):
    """One alert of the group; its fingerprint is alike when it fires and when it is resolved."""

    status: Literal["firing", "resolved"]
    labels: Mapping[str, str]
    starts_at: Moment
    fingerprint: str = ""


class AlertmanagerGroup(Foreign):
    """The body of a webhook call of Prometheus Alertmanager."""

    version: Literal["4"] = Field(description='"4": the only version of the format that is known')
    alerts: Annotated[tuple[AlertmanagerAlert, ...], Field(max_length=ALERTS_AT_ONCE_MAX)]


_STATUS: Mapping[str, type[AlertNotice]] = {"firing": AlertFired, "resolved": AlertResolved}


def read_alertmanager(body: bytes, labels: AlertLabels) -> Alert:
    """Read a group of alerts; raises Malformed. What names no endpoint is told, not refused."""
    notices: list[tuple[str, AlertNotice]] = []
    told: list[str] = []
    for alert in read_body(body, AlertmanagerGroup).alerts:
        endpoint = _endpoint(alert, labels)
        if endpoint is None:
            told.append(f"alert {_rule(alert, labels)} names no endpoint (label {labels.endpoint})")
            continue
        notices.append((endpoint, _notice(alert, labels)))
        told.extend(_unknown_word(alert, labels))
    return Alert(tuple(notices), tuple(told))


def _endpoint(alert: AlertmanagerAlert, labels: AlertLabels) -> str | None:
    with suppress(Malformed):
        return endpoint_name(alert.labels.get(labels.endpoint, ""))
    return None


def _rule(alert: AlertmanagerAlert, labels: AlertLabels) -> str:
    return one_line(alert.labels.get(labels.rule) or "without a name", RULE_MAX)


def _notice(alert: AlertmanagerAlert, labels: AlertLabels) -> AlertNotice:
    kind = _STATUS[alert.status]
    own = alert.fingerprint or repr(sorted(alert.labels.items()))
    deployment = one_line(alert.labels.get(labels.deployment, ""), RULE_MAX)
    return kind(
        id=notice_id(own, alert.starts_at, kind),
        key=alert_key(own),
        rule=_rule(alert, labels),
        severity=labels.words.get(_word(alert, labels), _UNKNOWN),
        deployments=(deployment.lower(),) if deployment else (),
        fired_at=alert.starts_at.astimezone(UTC),
    )


def _word(alert: AlertmanagerAlert, labels: AlertLabels) -> str:
    return alert.labels.get(labels.severity, "").lower()


def _unknown_word(alert: AlertmanagerAlert, labels: AlertLabels) -> list[str]:
    word = _word(alert, labels)
    if word in labels.words:
        return []
    shown = one_line(word, _TOLD_MAX) or "none"
    told = f"severity {shown!r} is not known and taken for {_UNKNOWN}"
    return [f"alert {_rule(alert, labels)}: {told}; say what it means in ROLLOUT_ALERT_LABELS"]
