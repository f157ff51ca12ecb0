"""Keys and tokens: listing, renewing, and recognising them."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from typing import Any

from emulator.arm.calls import Call, Reply
from emulator.arm.control import Control
from emulator.arm.refusals import bad_request
from emulator.arm.resources import Endpoint, KeyChange, Keys
from emulator.switches import Switches

CHANGES_KEPT = 20
_ATTRIBUTES = {"primary": "primary", "secondary": "secondary"}


def list_keys(control: Control, call: Call) -> Reply:
    endpoint = control.endpoint(call)
    if endpoint.auth_mode != "key":
        raise bad_request(f"Endpoint {endpoint.name} has no keys: its authMode is not Key.")
    keys = endpoint.keys
    return Reply(200, {"primaryKey": keys.primary, "secondaryKey": keys.secondary})


def regenerate(control: Control, call: Call) -> Reply:
    """202 with body null and a Location that may never know of it."""
    endpoint, wanted = control.endpoint(call), call.document()
    control.refuse_if_busy(endpoint)
    which = _ATTRIBUTES.get(str(wanted.get("keyType", "")).lower())
    if which is None:
        raise bad_request("keyType must be Primary or Secondary.")
    work = _renew(control, call, endpoint.keys, which, wanted.get("keyValue"))
    operation = control.begin(call, endpoint, "Updating", work)
    operation.lost = control.board.set.regenerate_status_lost
    return control.accepted(call, operation)


def token(control: Control, call: Call) -> Reply:
    endpoint = control.endpoint(call)
    if endpoint.auth_mode != "amltoken":
        raise bad_request(f"Endpoint {endpoint.name} gives no tokens: its authMode is not AMLToken")
    now, lifetime = int(control.now()), control.board.set.token_seconds
    claims = {
        "iss": "azureml",
        "aud": "azureml",
        "endpointName": endpoint.name,
        "serviceId": endpoint.guid,
        "workspaceId": endpoint.workspace.guid,
        "canRefresh": "False",
        "exp": now + lifetime,
    }
    return Reply(
        200,
        {
            "accessToken": _signed(claims, endpoint.token_secret),
            "tokenType": "Bearer",
            "expiryTimeUtc": now + lifetime,
            "refreshAfterTimeUtc": now + lifetime // 2,
        },
    )


def refusal(endpoint: Endpoint, authorization: str, now: float, switches: Switches) -> str:
    """Why this Authorization header does not open the endpoint; empty when it does."""
    scheme, _, credential = authorization.partition(" ")
    credential = credential.strip()
    if scheme.lower() != "bearer" or not credential:
        return "Authorization is missing: send `Authorization: Bearer <key or token>`."
    match endpoint.auth_mode:
        case "key":
            opens = _opens(endpoint.keys, credential, now, switches)
            return "" if opens else "key_auth_access_denied"
        case "amltoken":
            return _token_refusal(endpoint.token_secret, credential, now)
        case _:
            return ""


async def _renew(control: Control, call: Call, keys: Keys, which: str, value: object) -> None:
    """Set the value given; the SDK sends the present key, which asks for another one."""
    await control.take_time(call)
    wanted = str(value) if value and value != getattr(keys, which) else secrets.token_urlsafe(24)
    switches = control.board.set
    if switches.key_change_lost:
        return
    if switches.key_change_seconds:
        loop = asyncio.get_running_loop()
        loop.call_later(switches.key_change_seconds, _change, control, keys, which, wanted)
    else:
        _change(control, keys, which, wanted)


def _change(control: Control, keys: Keys, which: str, wanted: str) -> None:
    keys.changes.append(KeyChange(getattr(keys, which), wanted, control.now()))
    del keys.changes[:-CHANGES_KEPT]
    setattr(keys, which, wanted)


def _opens(keys: Keys, credential: str, now: float, switches: Switches) -> bool:
    """Whether the front end takes it; news of a changed key reaches it late."""
    refused, accepted = switches.new_key_refused_seconds, switches.old_key_accepted_seconds
    young = [one.new for one in keys.changes if now - one.at < refused]
    old = [one.old for one in keys.changes if now - one.at < accepted]
    known = _is_one_of([keys.primary, keys.secondary, *old], credential)
    return known and not _is_one_of(young, credential)


def _is_one_of(keys: Sequence[str], credential: str) -> bool:
    """All comparisons are always made, each in constant time."""
    given = credential.encode(errors="surrogateescape")
    found = [hmac.compare_digest(given, key.encode()) for key in keys]
    return any(found)


def _signed(claims: dict[str, Any], secret: bytes) -> str:
    head = _base64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = _base64(json.dumps(claims).encode())
    return f"{head}.{body}.{_signature(f'{head}.{body}', secret)}"


def _token_refusal(secret: bytes, text: str, now: float) -> str:
    signed, _, signature = text.rpartition(".")
    given = signature.encode(errors="surrogateescape")
    if not hmac.compare_digest(given, _signature(signed, secret).encode()):
        return "Jwt verification fails"
    body = signed.rpartition(".")[2]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return "Jwt is expired" if claims["exp"] <= now else ""


def _signature(text: str, secret: bytes) -> str:
    return _base64(hmac.new(secret, text.encode(errors="surrogateescape"), hashlib.sha256).digest())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
