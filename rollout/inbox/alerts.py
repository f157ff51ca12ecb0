"""Alerts of Azure Monitor in the common schema: which endpoints, which deployments, since when."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from rollout.core.alerts import DEPLOYMENTS_MAX, RULE_MAX, AlertSeverity
from rollout.core.endpoint import EndpointId
from rollout.core.events import AlertFired, AlertNotice, AlertResolved
from rollout.errors import Malformed
from rollout.inbox.bodies import endpoint_name, one_line, read_body

_TOLD_MAX = 500
_DEPLOYMENT_DIMENSIONS = frozenset({"deployment", "deploymentname"})
_WINDOW_STARTS = ("windowStartTime", "SearchIntervalStartTimeUtc")
_DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


def _only_text(value: object) -> object:
    """A number is no time: nobody could tell of which unit."""
    if isinstance(value, int | float):
        raise ValueError("a time is a text, such as 2026-03-02T12:00:00Z")  # noqa: TRY004
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_only_text)]


class Foreign(BaseModel):
    """A part of a message that is not ours: what we do not know in it is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class AlertEssentials(Foreign):
    alert_id: Annotated[str, StringConstraints(min_length=1)]
    alert_rule: str
    severity: AlertSeverity
    monitor_condition: str
    alert_target_ids: tuple[str, ...] = Field(alias="alertTargetIDs")
    fired_date_time: Moment


class AlertData(Foreign):
    essentials: AlertEssentials
    alert_context: Any = None


class CommonAlert(Foreign):
    """Azure Monitor's common alert schema: metric, log and activity log alerts alike."""

    schema_id: Literal["azureMonitorCommonAlertSchema"] = Field(
        description="azureMonitorCommonAlertSchema: turn on the common alert schema at the receiver"
    )
    data: AlertData


@dataclass(frozen=True, slots=True)
class Alert:
    """What is said of which endpoints, as ARM ids or names; `told` says of whom nothing is."""

    notices: tuple[tuple[str, AlertNotice], ...]
    told: tuple[str, ...] = ()


_CONDITIONS: Mapping[str, type[AlertNotice]] = {"fired": AlertFired, "resolved": AlertResolved}


def read_alert(body: bytes) -> Alert:
    """Read an alert in the common schema; raises Malformed."""
    data = read_body(body, CommonAlert).data
    told = data.essentials
    rule = one_line(told.alert_rule, RULE_MAX)
    kind = _CONDITIONS.get(told.monitor_condition.lower())
    if kind is None:
        condition = one_line(told.monitor_condition, RULE_MAX)
        return Alert((), (f"alert {rule} is {condition}: nothing to do",))
    targets = _targets(told.alert_target_ids, _named_deployments(data.alert_context))
    if not targets:
        about = one_line(", ".join(told.alert_target_ids), _TOLD_MAX) or "nothing"
        return Alert((), (f"alert {rule} is about {about}, which is no online endpoint",))
    notice = kind(
        id=notice_id(told.alert_id, told.fired_date_time, kind),
        key=alert_key(told.alert_id),
        rule=rule,
        severity=told.severity,
        fired_at=told.fired_date_time.astimezone(UTC),
        began_at=_began(data.alert_context),
    )
    return Alert(
        tuple(
            (endpoint.arm_id, notice.model_copy(update={"deployments": deployments}))
            for endpoint, deployments in targets.items()
        )
    )


def alert_key(alert_id: str) -> str:
    """The alert's own id, short, since it is kept."""
    return hashlib.sha256(alert_id.encode()).hexdigest()[:16]


def notice_id(alert_id: str, fired_at: datetime, kind: type[AlertNotice]) -> str:
    """One id for one firing and one for its end, however often they are delivered."""
    said = f"{alert_id} {fired_at.isoformat()}"
    if kind is AlertResolved:
        said = f"{said} resolved"
    return f"alert:{alert_key(said)}"


# -- whom it is about --------------------------------------------------------------------------


def _targets(arm_ids: Iterable[str], named: set[str]) -> Mapping[EndpointId, tuple[str, ...]]:
    """The endpoints among the targets, each with the deployments that are named, if any is."""
    found: dict[EndpointId, set[str]] = {}
    for arm_id in arm_ids:
        target, _, deployment = arm_id.strip("/").lower().partition("/deployments/")
        with suppress(Malformed):
            endpoint = EndpointId.parse(endpoint_name(f"/{target}"))
            found.setdefault(endpoint, set()).update({deployment} if deployment else ())
    return {endpoint: _few(own or named) for endpoint, own in found.items()}


def _few(names: set[str]) -> tuple[str, ...]:
    """So many names are kept; more of them, and the alert is about the endpoint as a whole."""
    return tuple(sorted(names)) if len(names) <= DEPLOYMENTS_MAX else ()


def _named_deployments(context: object) -> set[str]:
    """The deployments that the conditions' dimensions name; all of them by `*`: none."""
    named = {
        value.lower()
        for name, value in _dimensions(context)
        if name.lower().replace("_", "") in _DEPLOYMENT_DIMENSIONS
    }
    return named if all(map(_DEPLOYMENT.fullmatch, named)) else set()


def _dimensions(context: object) -> Iterator[tuple[str, str]]:
    """Every dimension's name and value, wherever the variant of the schema keeps them."""
    if isinstance(context, list):
        for one in context:
            yield from _dimensions(one)
    elif isinstance(context, dict):
        for key in ("dimensions", "Dimensions"):
            for one in _mappings(context.get(key)):
                yield str(one.get("name")), str(one.get("value"))
        for inner in context.values():
            yield from _dimensions(inner)


def _mappings(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


# -- since when --------------------------------------------------------------------------------


def _began(context: object) -> datetime | None:
    """The start of the window it was judged on; None where the variant does not tell."""
    if not isinstance(context, dict):
        return None
    condition = context.get("condition")
    places = [context, *([condition] if isinstance(condition, dict) else [])]
    told = (place.get(name) for place in places for name in _WINDOW_STARTS)
    return next((at for at in map(_time, told) if at), None)


def _time(value: object) -> datetime | None:
    """ISO 8601 as metric alerts write it, or `3/22/2019 1:36:31 PM` as old log alerts do."""
    if not isinstance(value, str):
        return None
    with suppress(ValueError):
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    with suppress(ValueError):
        return datetime.strptime(value, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC)
    return None
