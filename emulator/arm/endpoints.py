"""Online endpoints: list, read, write, remove."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from emulator.arm import documents, durations, names, tracked, traffic
from emulator.arm.calls import Call, Reply
from emulator.arm.control import Control
from emulator.arm.lenient import mapping, whole
from emulator.arm.refusals import Refusal, bad_request, not_found
from emulator.arm.resources import Endpoint, Keys, Workspace
from emulator.arm.traffic import Traffic

_log = logging.getLogger(__name__)
_AUTH_MODES = {"key": "Key", "amltoken": "AMLToken", "aadtoken": "AADToken"}
_PATCHES_TRAFFIC = "2022-02-01-preview"
_READ_ONLY = {"traffic", "mirrorTraffic", "scoringUri", "swaggerUri", "provisioningState", "keys"}
_ORDERS = {"createdatdesc": True, "createdatasc": False, "updatedatdesc": True}


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a write asks for, checked; no traffic stays as it is."""

    tags: dict[str, str]
    identity: dict[str, Any] | None
    traffic: Traffic | None


def list_all(control: Control, call: Call) -> Reply:
    """Filtered by name and computeType, ordered, in pages of `count`."""
    workspace = control.workspace(call)
    found = [one for one in control.endpoints.values() if one.workspace is workspace]
    wanted = [one for one in found if _matches(one, call.query)]
    latest_first = _ORDERS.get(call.query.get("orderBy", "").lower(), False)
    wanted.sort(key=lambda one: one.created_at, reverse=latest_first)
    return Reply(200, page(call, [_document(control, call, one) for one in wanted], "count"))


def get(control: Control, call: Call) -> Reply:
    return Reply(200, _document(control, call, control.endpoint(call)))


def put(control: Control, call: Call) -> Reply:
    """Create, or replace: a map the body leaves out becomes empty."""
    workspace, wanted = control.workspace(call), call.document()
    properties = mapping(wanted.get("properties"), "properties")
    endpoint = control.endpoints.get(call.endpoint_id.lower())
    if endpoint is not None:
        control.refuse_if_busy(endpoint)
    tracked.location(wanted)
    tags = tracked.tags(wanted)
    asked = _checked(traffic.parse(properties), endpoint, properties)
    settings = _settings(properties, endpoint)
    verb = "Updating" if endpoint else "Creating"
    endpoint = endpoint or _new(control, call, workspace, wanted, settings)
    endpoint.state = verb
    wish = _Wish(tags, wanted.get("identity"), asked)
    work = _replace(control, call, endpoint, settings, wish)
    operation = control.begin(call, endpoint, verb, work)
    return control.created(call, operation, _document(control, call, endpoint))


def patch(control: Control, call: Call) -> Reply:
    """Tags and identity; traffic only under 2022-02-01-preview."""
    endpoint, wanted = control.endpoint(call), call.document()
    control.refuse_if_busy(endpoint)
    asked, given = None, mapping(wanted.get("properties"), "properties")
    tags = tracked.tags(wanted, endpoint.tags)
    if given and call.api_version != _PATCHES_TRAFFIC:
        _log.warning("PATCH of %s: api-version %s ignores properties", call.path, call.api_version)
    elif given:
        amended = traffic.amended(endpoint.traffic, given, merges=control.board.set.patch_merges)
        asked = _checked(amended, endpoint, endpoint.settings)
    endpoint.state = "Updating"
    wish = _Wish(tags, wanted.get("identity", endpoint.identity), asked)
    work = _amend(control, call, endpoint, wish)
    return control.accepted(call, control.begin(call, endpoint, "Updating", work))


def delete(control: Control, call: Call) -> Reply:
    """Its deployments go with it."""
    try:
        endpoint = control.endpoint(call)
    except Refusal:
        return Reply(204)
    control.refuse_if_busy(endpoint)
    endpoint.state = "Deleting"
    work = _remove(control, call, endpoint)
    return control.accepted(call, control.begin(call, endpoint, "Deleting", work))


def by_address(control: Control, location: str, name: str) -> Endpoint:
    """The endpoint behind a scoring URL; names are unique per region."""
    for endpoint in control.endpoints.values():
        if (endpoint.location.lower(), endpoint.name.lower()) == (location.lower(), name.lower()):
            return endpoint
    raise not_found(f"Endpoint {name}")


def page(call: Call, documents_: list[dict[str, Any]], size_name: str) -> dict[str, Any]:
    """`{"value", "nextLink"?}` by `$skip` and the page size that `size_name` holds."""
    start = whole(call.query.get("$skip", "0"), "$skip")
    size = whole(call.query.get(size_name, "1000"), size_name)
    body: dict[str, Any] = {"value": documents_[start : start + size]}
    if start + size < len(documents_):
        query = urlencode({**call.query, "$skip": start + size}, safe="$")
        body["nextLink"] = f"{call.base}{call.path}?{query}"
    return body


def _document(control: Control, call: Call, endpoint: Endpoint) -> dict[str, Any]:
    return documents.endpoint(endpoint, call.base, control.now())


def _matches(endpoint: Endpoint, query: Mapping[str, str]) -> bool:
    kind = "kubernetes" if endpoint.kubernetes else "managed"
    name_fits = query.get("name", endpoint.name).lower() == endpoint.name.lower()
    return name_fits and query.get("computeType", kind).lower() == kind


def _checked(asked: Traffic, endpoint: Endpoint | None, settings: Mapping[str, Any]) -> Traffic:
    deployments = endpoint.deployments if endpoint else {}
    return traffic.check(asked, deployments, kubernetes=bool(settings.get("compute")))


def _settings(properties: dict[str, Any], endpoint: Endpoint | None) -> dict[str, Any]:
    """What of the properties is neither traffic nor filled in by the service."""
    mode = _AUTH_MODES.get(str(properties.get("authMode", "")).lower())
    if mode is None:
        raise bad_request(f"authMode must be one of {', '.join(_AUTH_MODES.values())}.")
    if mode == "AADToken" and properties.get("compute"):
        raise bad_request("authMode AADToken is not supported for Kubernetes endpoints.")
    before = endpoint.settings["properties"] if endpoint else {}
    own = mapping(properties.get("properties"), "properties.properties")
    own = {name: value for name, value in own.items() if name != "AzureAsyncOperationUri"}
    given = {name: value for name, value in properties.items() if name not in _READ_ONLY}
    defaults = {"description": None, "publicNetworkAccess": "Enabled", "compute": None}
    return {**defaults, **given, "authMode": mode, "properties": {**own, **before}}


def _new(
    control: Control,
    call: Call,
    workspace: Workspace,
    wanted: dict[str, Any],
    settings: dict[str, Any],
) -> Endpoint:
    name = names.checked(call.ids["endpoint"], "Endpoint")
    location = tracked.location(wanted)
    _refuse_taken(control, location, name)
    endpoint = Endpoint(
        id=f"{workspace.id}/onlineEndpoints/{name}",
        name=name,
        workspace=workspace,
        settings=settings,
        location=location,
        tags=tracked.tags(wanted),
        identity=wanted.get("identity"),
        created_at=durations.iso(control.now()),
    )
    keys = mapping(mapping(wanted.get("properties"), "properties").get("keys"), "keys")
    fresh = Keys()
    endpoint.keys = Keys(
        keys.get("primaryKey") or fresh.primary, keys.get("secondaryKey") or fresh.secondary
    )
    control.endpoints[endpoint.id.lower()] = endpoint
    return endpoint


def _refuse_taken(control: Control, location: str, name: str) -> None:
    try:
        by_address(control, location, name)
    except Refusal:
        return
    raise bad_request(f"Endpoint name {name} is already in use in region {location}.")


async def _replace(
    control: Control, call: Call, endpoint: Endpoint, settings: dict[str, Any], wish: _Wish
) -> None:
    await _amend(control, call, endpoint, wish)
    endpoint.settings = settings
    endpoint.ready = True


async def _amend(control: Control, call: Call, endpoint: Endpoint, wish: _Wish) -> None:
    await _finish(control, call, endpoint, wish.traffic)
    endpoint.tags, endpoint.identity = wish.tags, wish.identity


async def _finish(control: Control, call: Call, endpoint: Endpoint, asked: Traffic | None) -> None:
    """Let the operation's time pass, then let the traffic be as asked."""
    try:
        await control.take_time(call)
        if asked is not None:
            _checked(asked, endpoint, endpoint.settings)
    except Refusal:
        endpoint.state = "Failed"
        raise
    if asked is not None:
        stale_until = control.now() + control.board.set.stale_read_seconds
        endpoint.stale = (endpoint.shown_traffic(control.now()), stale_until)
        endpoint.traffic = asked
    endpoint.state = "Succeeded"


async def _remove(control: Control, call: Call, endpoint: Endpoint) -> None:
    try:
        await control.take_time(call)
    except Refusal:
        endpoint.state = "Failed"
        raise
    for deployment in endpoint.deployments.values():
        await deployment.fleet.stop()
    control.endpoints.pop(endpoint.id.lower(), None)
