"""Every way to say no: one table from error to HTTP problem (RFC 9457)."""

import logging
import math
import re
import traceback
from dataclasses import dataclass
from datetime import timedelta

from rollout.api.answers import Problem
from rollout.api.exchange import Response
from rollout.api.limits import TooMany
from rollout.core.callers import TOKEN_PREFIX
from rollout.errors import (
    Conflict,
    Denied,
    Forbidden,
    Malformed,
    PolicyError,
    Refused,
    RolloutError,
    Unavailable,
    Unknown,
)
from rollout.inbox import TooLarge

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER = timedelta(seconds=5)


class Impossible(RolloutError):
    """Well said, but it cannot be done as things are: refused at the door."""


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    name: str
    title: str


# fmt: off
_KINDS: tuple[tuple[type[RolloutError], _Kind], ...] = (
    (TooLarge,    _Kind(413, "too-large",   "The request is too large")),
    (Malformed,   _Kind(400, "malformed",   "The request is not what this takes")),
    (Denied,      _Kind(401, "denied",      "The caller is not known")),
    (Forbidden,   _Kind(403, "forbidden",   "The caller may not")),
    (TooMany,     _Kind(429, "too-many",    "The caller asks too often")),
    (Unknown,     _Kind(404, "unknown",     "Nothing has that name")),
    (Conflict,    _Kind(409, "conflict",    "It means nothing as things are now")),
    (PolicyError, _Kind(422, "policy",      "A policy must be mended")),
    (Impossible,  _Kind(422, "impossible",  "It cannot be done as things are")),
    (Unavailable, _Kind(503, "unavailable", "Something that is needed does not answer now")),
    (Refused,     _Kind(502, "refused",     "Azure said no")),
)
# fmt: on
_FAULT = _Kind(500, "fault", "A fault of the controller")


def problem_of(error: RolloutError, secret: str) -> Response:
    """The answer to an error that was raised knowingly; what others said in it may be too much."""
    kind = next((kind for raised, kind in _KINDS if isinstance(error, raised)), _FAULT)
    detail = without_secrets(str(error), secret) if kind.status >= 500 else str(error)
    return _problem(kind, detail, _headers(error))


def _headers(error: RolloutError) -> dict[str, str]:
    if isinstance(error, Denied):
        return {"WWW-Authenticate": error.challenge}
    if isinstance(error, Unavailable | TooMany):
        seconds = (error.after or RETRY_AFTER).total_seconds()
        return {"Retry-After": str(max(1, math.ceil(seconds)))}
    return {}


def fault(error: Exception, incident: str, secret: str) -> Response:
    """The answer to an error of ours: its number here, and under it all else in the log."""
    told = "".join(traceback.format_exception(error))
    log.error("incident %s: %s", incident, without_secrets(told, secret))
    detail = f"incident {incident}: see the controller's log"
    return _problem(_FAULT, detail, {}, f"urn:rollout:incident:{incident}")


def _problem(
    kind: _Kind, detail: str, headers: dict[str, str], instance: str | None = None
) -> Response:
    body = Problem(
        type=f"urn:rollout:problem:{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=instance,
    )
    written = body.model_dump_json(exclude_none=True).encode()
    return Response(kind.status, written, {"Content-Type": PROBLEM_JSON, **headers})


_TOKENS = re.compile(rf"eyJ[\w-]{{8,}}\.[\w.-]+|{TOKEN_PREFIX}[\w-]{{40,}}")
_SECRETS = re.compile(
    r"(?i)(bearer\s+|sig=|accountkey=|sharedaccesskey=|(?:secret|password|token)\W{1,4})[^\s&;,\"']+"
)


def without_secrets(text: str, secret: str) -> str:
    """The text with the token, and whatever looks like a key, blotted out."""
    known = text.replace(secret, "***") if secret else text
    return _SECRETS.sub(r"\1***", _TOKENS.sub("***", known))
