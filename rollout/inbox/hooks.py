"""Webhooks of GitHub and Azure DevOps become news with the values that rules may ask for."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from rollout.core.news import News
from rollout.core.start_on import Source
from rollout.errors import Malformed
from rollout.inbox.bodies import one_line, read_json

PING = "ping"
VALUE_MAX = 300
VALUES_MAX = 100
_DEPTH_MAX = 3
_ID = re.compile(r"[\x21-\x7e]{1,100}")

Payload = dict[str, Any]
Values = Iterator[tuple[str, Any]]


def read_github(event: str, delivery: str, body: bytes) -> News | str:
    """The news of a delivery; or, of an event that starts nothing, why. Raises Malformed."""
    if event == PING:
        return "pong: deliveries arrive, and their signature is right"
    if event not in _GITHUB:
        shown = one_line(event, 60) or "without a name"
        return f"the event {shown} starts nothing; read are {', '.join(_GITHUB)}"
    source, read = _GITHUB[event]
    payload = _payload(body)
    repository = _at(payload, "repository", "full_name")
    who = _at(payload, "sender", "login") or "someone"
    checked_id(delivery, "X-GitHub-Delivery")
    signed = hashlib.sha256(body).hexdigest()  # the header's id is not: a replay could change it
    return News(
        id=f"github:{signed[:32]}",
        source=source,
        values=_texts([("repository", repository), *read(payload)]),
        who=one_line(f"{who} (GitHub)", 100),
        why=one_line(f"{event} of {repository or 'no repository'}", 200),
        at=_checked_time(_signed_at(payload, event), f"{event}.updated_at"),
    )


def read_azure_devops(body: bytes) -> News | str:
    """The news of a service hook; or, of an event that starts nothing, why. Raises Malformed."""
    payload = _payload(body)
    event = str(payload.get("eventType") or "")
    if event not in _AZURE_DEVOPS:
        shown = one_line(event, 100) or "without eventType"
        return f"the event {shown} starts nothing; read are {', '.join(_AZURE_DEVOPS)}"
    if not isinstance(payload.get("resource"), dict):
        raise Malformed("resource: missing; let the hook send it: Resource details to send, All")
    source, read = _AZURE_DEVOPS[event]
    who = _at(payload, "resource", "requestedFor", "displayName") or "Azure DevOps"
    return News(
        id=f"azure-devops:{checked_id(str(payload.get('id') or ''), 'id')}",
        source=source,
        values=_texts([("project", _project(payload)), *read(payload["resource"])]),
        who=one_line(str(who), 100),
        why=one_line(str(_at(payload, "message", "text") or event), 200),
        at=_checked_time(_time(payload.get("createdDate")), "createdDate"),
    )


def _signed_at(payload: Payload, event: str) -> datetime | None:
    """When it happened, as the signed body tells."""
    told = _part(payload, event)
    return _time(told.get("updated_at") or told.get("created_at"))


def _time(text: object) -> datetime | None:
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
        return at.astimezone(UTC) if at and at.tzinfo else None
    return None


def _checked_time(at: datetime | None, place: str) -> datetime:
    """What tells a repeat of an id that is forgotten; raises Malformed where it is not there."""
    if at is None:
        raise Malformed(f"{place}: missing, or no time; without it a repeat would not be known")
    return at


def checked_id(text: str, place: str) -> str:
    """What tells one delivery from another; raises Malformed where it is not there."""
    if not _ID.fullmatch(text):
        raise Malformed(f"{place}: missing, or no id; without it a repeat would not be known")
    return text


def _payload(body: bytes) -> Payload:
    if body[:8] == b"payload=":
        raise Malformed("the body is a form: choose the content type application/json at the hook")
    value = read_json(body)
    if not isinstance(value, dict):
        raise Malformed("the body must be a JSON object: a webhook's payload")
    return value


# -- what each event tells ---------------------------------------------------------------------


def _workflow_run(payload: Payload) -> Values:
    run = _part(payload, "workflow_run")
    yield "action", payload.get("action")
    yield "workflow", run.get("name") or _at(payload, "workflow", "name")
    yield "branch", run.get("head_branch")
    yield "event", run.get("event")
    yield "actor", _at(run, "actor", "login")
    yield "conclusion", run.get("conclusion")
    yield "run_number", run.get("run_number")
    yield "run_id", run.get("id")
    yield "run_attempt", run.get("run_attempt")
    yield "url", run.get("html_url")
    yield from _commit(run.get("head_sha"))


def _deployment(payload: Payload) -> Values:
    told = _part(payload, "deployment")
    yield "environment", told.get("environment")
    yield "ref", told.get("ref")
    yield "task", told.get("task")
    yield "creator", _at(told, "creator", "login")
    yield "deployment_id", told.get("id")
    yield "url", told.get("url")
    yield from _commit(told.get("sha"))
    yield from _flat("payload", _object(told.get("payload")), _DEPTH_MAX)


def _deployment_status(payload: Payload) -> Values:
    yield "state", _at(payload, "deployment_status", "state")
    yield from _deployment(payload)


def _build(resource: Payload) -> Values:
    status = resource.get("status")
    yield "definition", _at(resource, "definition", "name")
    yield "branch", resource.get("sourceBranch")
    yield "reason", resource.get("reason")
    yield "result", resource.get("result") or status
    yield "build_number", resource.get("buildNumber")
    yield "build_id", resource.get("id")
    yield "url", resource.get("url")
    yield from _commit(resource.get("sourceVersion"))


def _release(resource: Payload) -> Values:
    environment = _part(resource, "environment")
    yield "definition", _at(environment, "releaseDefinition", "name")
    yield "environment", environment.get("name")
    yield "status", environment.get("status")
    yield "release", _at(environment, "release", "name")
    yield "release_id", environment.get("releaseId") or _at(environment, "release", "id")
    yield "url", _at(environment, "release", "url")


def _pipeline_run(resource: Payload) -> Values:
    run = _part(resource, "run")
    pipeline = _part(resource, "pipeline") or _part(run, "pipeline")
    yield "pipeline", pipeline.get("name")
    yield "state", run.get("state")
    yield "result", run.get("result")
    yield "run", run.get("name")
    yield "run_id", run.get("id")
    yield "url", run.get("url")
    yield "branch", _at(run, "resources", "repositories", "self", "refName")
    yield from _flat("parameters", _part(run, "templateParameters"), 1)


def _project(payload: Payload) -> object:
    return (
        _at(payload, "resource", "project", "name")
        or _at(payload, "resourceContainers", "project", "name")
        or _at(payload, "resourceContainers", "project", "id")
    )


_Reader = Callable[[Payload], Values]
_GITHUB: Mapping[str, tuple[Source, _Reader]] = {
    "workflow_run": (Source.GITHUB_WORKFLOW_RUN, _workflow_run),
    "deployment": (Source.GITHUB_DEPLOYMENT, _deployment),
    "deployment_status": (Source.GITHUB_DEPLOYMENT_STATUS, _deployment_status),
}
_AZURE_DEVOPS: Mapping[str, tuple[Source, _Reader]] = {
    "build.complete": (Source.AZURE_BUILD, _build),
    "ms.vss-release.deployment-completed-event": (Source.AZURE_RELEASE, _release),
    "ms.vss-pipelines.run-state-changed-event": (Source.AZURE_PIPELINE_RUN, _pipeline_run),
}


# -- parts of foreign JSON ---------------------------------------------------------------------


def _commit(sha: object) -> Values:
    yield "sha", sha
    yield "short_sha", sha[:7] if isinstance(sha, str) else None


def _part(payload: Payload, name: str) -> Payload:
    value = payload.get(name)
    return value if isinstance(value, dict) else {}


def _at(payload: Payload, *path: str) -> Any:  # noqa: ANN401 - JSON
    *parts, last = path
    for name in parts:
        payload = _part(payload, name)
    return payload.get(last)


def _object(value: object) -> Payload:
    """A deployment's payload may be an object, or its text."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = from_json(value)
    return value if isinstance(value, dict) else {}


def _flat(prefix: str, payload: Payload, depth: int) -> Values:
    for name, value in payload.items():
        if isinstance(value, dict) and depth > 1:
            yield from _flat(f"{prefix}.{name}", value, depth - 1)
        else:
            yield f"{prefix}.{name}", value


def _texts(values: list[tuple[str, Any]]) -> dict[str, str]:
    """The values that are words or numbers, each on one line; not too many, none too long."""
    told = {
        one_line(name, VALUE_MAX): one_line(str(value), VALUE_MAX)
        for name, value in values
        if isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    }
    return dict(list(told.items())[:VALUES_MAX])
