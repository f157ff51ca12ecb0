"""Events of Event Grid, in its own schema or as CloudEvents 1.0, one or many at once."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from rollout.core.endpoint import EndpointId, WorkspaceId
from rollout.core.news import News
from rollout.core.rotation.expiry import Expiry
from rollout.core.start_on import Source
from rollout.errors import Malformed
from rollout.inbox.alerts import Foreign, Moment
from rollout.inbox.bodies import one_line, read_json
from rollout.inbox.key_vault import EXPIRED, NEAR_EXPIRY, read_expiry

EVENTS_MAX = 500
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_NAME_MAX = 120


@dataclass(frozen=True, slots=True)
class Handshake:
    """Event Grid asks whether this address wants its events; the code is the answer."""

    code: str


@dataclass(frozen=True, slots=True)
class Unread:
    """An event that means nothing here: its type, and why."""

    type: str
    why: str


class _EventGridEvent(Foreign):
    id: str
    event_type: str
    subject: str = ""
    topic: str = ""
    event_time: Moment | None = None
    data: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it


class _CloudEvent(Foreign):
    id: str
    type: str
    source: str = ""
    subject: str = ""
    time: Moment | None = None
    data: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it

    def in_own_schema(self) -> _EventGridEvent:
        return _EventGridEvent(
            id=self.id,
            eventType=self.type,
            subject=self.subject,
            topic=self.source,
            eventTime=self.time,
            data=self.data,
        )


def read_events(body: bytes) -> tuple[News | Handshake | Expiry | Unread, ...]:
    """Read one event or a list of them; raises Malformed with the place."""
    value = read_json(body)
    events = value if isinstance(value, list) else [value]
    if len(events) > EVENTS_MAX:
        raise Malformed(f"{len(events)} events; at most {EVENTS_MAX} at once")
    return tuple(_read(event, place) for place, event in enumerate(events))


def _read(event: object, place: int) -> News | Handshake | Expiry | Unread:
    told = _event(event, place)
    if told.event_type == VALIDATION:
        code = told.data.get("validationCode")
        if not isinstance(code, str) or not code:
            raise Malformed(f"[{place}].data.validationCode: missing")
        return Handshake(code)
    read = KNOWN.get(told.event_type)
    if read is None:
        name = one_line(told.event_type, _NAME_MAX)
        return Unread(name, f"the event {name} means nothing here; read are {', '.join(KNOWN)}")
    return read(told)


def _event(event: object, place: int) -> _EventGridEvent:
    if not isinstance(event, dict):
        raise Malformed(f"[{place}]: an event is a JSON object")
    try:
        if "specversion" in event:
            return _CloudEvent.model_validate(event).in_own_schema()
        return _EventGridEvent.model_validate(event)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Malformed(
            f"[{place}].{where}: {first['msg']}; send Event Grid's own schema or CloudEvents 1.0"
        ) from error


def _id(told: _EventGridEvent) -> str:
    """One for one event however it is delivered; ids are each topic's own, and may be long."""
    return f"event:{hashlib.sha256(f'{told.topic.lower()} {told.id}'.encode()).hexdigest()[:24]}"


def _happened(told: _EventGridEvent) -> datetime:
    """What tells a repeat of an id that is forgotten; raises Malformed where it is not there."""
    if told.event_time is None:
        raise Malformed("eventTime: missing; without it a repeat would not be known")
    return told.event_time.astimezone(UTC)


# -- a model was registered --------------------------------------------------------------------


def _model_registered(told: _EventGridEvent) -> News | Unread:
    name, version = told.data.get("ModelName"), told.data.get("ModelVersion")
    if not name or version is None:
        return Unread(told.event_type, f"{told.subject[:_NAME_MAX]}: no ModelName or ModelVersion")
    try:
        workspace, at = WorkspaceId.parse(told.topic), _happened(told)
    except Malformed as error:
        return Unread(told.event_type, one_line(str(error), 300))
    model, number = one_line(str(name), _NAME_MAX), one_line(str(version), _NAME_MAX)
    tags = told.data.get("ModelTags")
    return News(
        id=_id(told),
        source=Source.MODEL_REGISTERED,
        values={
            "workspace": workspace.workspace,
            "model": model,
            "model_version": number,
            **dict(_tags(tags)),
        },
        who="Event Grid",
        why=f"model {model}:{number} was registered",
        at=at,
        workspace=workspace,
    )


def _tags(tags: object) -> Iterator[tuple[str, str]]:
    for name, value in list(tags.items())[:10] if isinstance(tags, dict) else ():
        yield f"tags.{one_line(str(name), _NAME_MAX)}", one_line(str(value), _NAME_MAX)


# -- a deployment was written ------------------------------------------------------------------


def _resource_written(told: _EventGridEvent) -> News | Unread:
    resource = str(told.data.get("resourceUri") or told.subject)
    parent, _, deployment = resource.strip("/").partition("/deployments/")
    try:
        endpoint = EndpointId.parse(f"/{parent}")
    except Malformed:
        return Unread(told.event_type, f"{one_line(resource, 300)} is no online deployment")
    if not deployment or "/" in deployment:
        return Unread(told.event_type, f"{endpoint} was written, and no deployment of it")
    try:
        at = _happened(told)
    except Malformed as error:
        return Unread(told.event_type, str(error))
    name = one_line(deployment, _NAME_MAX)
    values = {"workspace": endpoint.workspace, "endpoint": endpoint.name, "deployment": name}
    return News(
        id=_id(told),
        source=Source.DEPLOYMENT_WRITTEN,
        values=values,
        who="Event Grid",
        why=f"deployment {name} was written",
        at=at,
        endpoint=endpoint,
    )


# -- a secret expires ----------------------------------------------------------------------------


def _expiry(told: _EventGridEvent) -> Expiry | Unread:
    try:
        return read_expiry(told.data, told.event_type)
    except Malformed as error:
        return Unread(told.event_type, one_line(str(error), 300))


_Reader = Callable[[_EventGridEvent], News | Expiry | Unread]
KNOWN: Mapping[str, _Reader] = {
    NEAR_EXPIRY: _expiry,
    EXPIRED: _expiry,
    "Microsoft.MachineLearningServices.ModelRegistered": _model_registered,
    "Microsoft.Resources.ResourceWriteSuccess": _resource_written,
}
