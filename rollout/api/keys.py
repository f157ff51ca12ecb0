"""Keys over HTTP: how old they are, and how they are rotated; a key itself is never told."""

import re
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from rollout.api.answers import Decided, History
from rollout.api.exchange import Request, Response, answer
from rollout.api.parts import Parts
from rollout.core.endpoint import EndpointId
from rollout.core.frozen import Frozen
from rollout.core.head import HistoryEntry
from rollout.core.rotation.decision import KeyDecision
from rollout.core.rotation.events import RotationOverdue
from rollout.core.rotation.state import KeyName, RotationPhase
from rollout.errors import Conflict, Unknown
from rollout.inbox import CommandBody, endpoint_name, read_body
from rollout.inbox.bodies import WHO_TOLD, Who, Why
from rollout.keys.rotations import Wish
from rollout.keys.views import KeysStatus, RotationView, rotation_view

HISTORY_PAGE = 1000
ABORT, RESUME = "abort", "resume"
KEY_COMMANDS = (ABORT, RESUME)
ROTATION_ID = re.compile(r"(?P<key>[A-Za-z0-9_-]+-[0-9a-f]{10})-keys-[0-9]+")

_InUse = Annotated[KeyName | None, Field(strict=False)]


class _Body(Frozen):
    model_config = ConfigDict(strict=True)


class RotateBody(_Body):
    """Rotate both keys of an endpoint."""

    leaked: bool = Field(
        default=False,
        description="at once: clients that do not read the new key in time are refused",
    )
    forced: bool = Field(default=False, description="also between the steps of a rollout")
    in_use: _InUse = Field(None, description="the key that clients have, where no secret tells")
    who: Who | None = Field(None, description=WHO_TOLD)
    why: Why = Field("", description="the reason, kept in the history")


class KeyCommandBody(CommandBody):
    """Who asks, why, and which key clients have, where that was the question."""

    in_use: _InUse = Field(None, description="the key that clients have, where no secret tells")


class KeysList(Frozen):
    keys: tuple[KeysStatus, ...]


class DecidedRotation(Decided):
    rotation: RotationView


def listed(parts: Parts, _request: Request) -> Response:
    """List the endpoints with the age of their keys; those that are overdue or ask come first."""
    found = sorted(parts.keys.statuses(), key=_urgency)
    return answer(KeysList(keys=tuple(found)))


def _urgency(status: KeysStatus) -> tuple[bool, bool, str]:
    asks = status.rotation is not None and status.rotation.needs_person
    return not asks, status.overdue is None, status.endpoint


def shown(parts: Parts, request: Request) -> Response:
    """Show the keys of one endpoint: how old, where published, and when they change next."""
    return answer(parts.keys.status(_meant(parts, request)))


def history(parts: Parts, request: Request) -> Response:
    """List what was decided about an endpoint's keys, or in one rotation by its id, in order."""
    after = request.number("after", 0, 0, 999_999_999)
    found: list[Any] = []
    key = _meant(parts, request).key
    one = ROTATION_ID.fullmatch(request.path["ref"])
    while True:
        page = parts.store.history(key, after, HISTORY_PAGE)
        found += [
            entry
            for entry in page
            if _is_of_keys(entry) and (one is None or entry.rotation_id == one[0])
        ]
        if len(page) < HISTORY_PAGE:
            return answer(History(entries=tuple(found)))
        after = page[-1].number


def _is_of_keys(entry: HistoryEntry) -> bool:
    """Also what was told before any rotation was there."""
    return entry.rotation_id is not None or entry.event == RotationOverdue.__name__


def rotate(parts: Parts, request: Request) -> Response:
    """Rotate both keys of an endpoint, or say why not."""
    body = read_body(request.body, RotateBody)
    endpoint = _endpoint(parts, request)
    who, why = request.caller.signs(body.who, body.why)
    wish = Wish(**{**body.model_dump(), "who": who, "why": why})
    decision = parts.keys.rotate(endpoint, parts.event_id(request, "rotate"), wish)
    return _decided(parts, endpoint, decision, 201)


def command(parts: Parts, request: Request) -> Response:
    """Abort a rotation, or let it go on after a question."""
    name = request.path["verb"]
    if name not in KEY_COMMANDS:
        known = ", ".join(KEY_COMMANDS)
        raise Unknown(f"there is no command {name[:50]!r} for keys; there are: {known}")
    body = read_body(request.body, KeyCommandBody)
    who, why = request.caller.signs(body.who, body.why)
    endpoint = _endpoint(parts, request)
    event_id = parts.event_id(request, f"keys-{name}")
    if name == ABORT:
        decision = parts.keys.abort(endpoint, event_id, who, why)
    else:
        decision = parts.keys.resume(endpoint, event_id, who, why, body.in_use)
    return _decided(parts, endpoint, decision, 200)


def _decided(parts: Parts, endpoint: EndpointId, decision: KeyDecision, status: int) -> Response:
    """The rotation as it stands now: some of its way it has gone already."""
    head = parts.store.load(endpoint).head
    if not decision.taken or head.rotation is None:
        raise Conflict(decision.why)
    if head.rotation.phase is RotationPhase.DECLINED:
        raise Conflict(parts.store.history(endpoint.key, head.entries - 1)[-1].why)
    told = DecidedRotation(decided=decision.why, rotation=rotation_view(head.rotation))
    return answer(told, status)


def _meant(parts: Parts, request: Request) -> EndpointId:
    """The endpoint by its name, or by the id of a rotation on it."""
    by_id = ROTATION_ID.fullmatch(request.path["ref"])
    if by_id is None:
        return _endpoint(parts, request)
    head = parts.store.load_key(by_id["key"]).head
    if head.rotation is None:
        raise Unknown(f"there was no rotation {by_id[0]}")
    return head.endpoint


def _endpoint(parts: Parts, request: Request) -> EndpointId:
    return parts.engine.resolve(endpoint_name(request.path["ref"].replace("~", "/")))
