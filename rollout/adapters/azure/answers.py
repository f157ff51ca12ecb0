"""What an answer of ARM means to us: its body, or one error per reaction."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

from azure.core.rest import HttpResponse
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from rollout.errors import Refused, RolloutError, Unavailable, Unknown

TEXT_MAX = 500
RETRY_AFTER_MAX = timedelta(hours=1)

_UNDONE = frozenset({409, 429})
"""So it answers what it has not begun; a 5xx may come after the work."""

_BROKEN_OFF = "EOF while parsing"
"""So JSON's reader says of a body that ends too early, or is not there at all."""

_SECRET = re.compile(r"(?i)(bearer\s+|\bsig=)[^\s\"',&]+|\beyJ[\w-]+\.[\w-]+\.[\w-]*")

T = TypeVar("T")


class Foreign(BaseModel):
    """A part of an answer that we read; what else is in it is left alone."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )


class _Error(Foreign):
    code: str = ""
    message: str = ""


class _ErrorBody(Foreign):
    error: _Error


def parsed(response: HttpResponse, kind: TypeAdapter[T]) -> T:
    """The body as that type; raises Refused that names the place where it is not.

    One that breaks off is no answer: raises Unavailable.
    """
    return _checked(lambda: kind.validate_json(response.read()), _asked(response))


def recognised(value: object, kind: TypeAdapter[T], what: str) -> T:
    """A part of a body as that type; raises Refused that names the place where it is not."""
    return _checked(lambda: kind.validate_python(value), what)


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Retry-After in seconds or as a date, at most an hour; None where it says nothing usable."""
    text = headers.get("Retry-After", "")
    try:
        seconds = float(text) if re.fullmatch(r"[0-9.]+", text) else _until(text, headers)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(seconds) or seconds < 0:
        return None
    return timedelta(seconds=min(seconds, RETRY_AFTER_MAX.total_seconds()))


def refusal(response: HttpResponse, action: str) -> RolloutError:
    """The error that an answer of 300 or above stands for.

    `action` is the permission that the request needs, as Azure's roles name it.
    """
    status = response.status_code
    react = _REACTIONS.get(status, _later if status >= 500 else _no)
    return react(_Told(status, _asked(response), told(response.text()), action, response))


def told(body: str) -> str:
    """What an error body says, as `code: message`, short and without secrets."""
    try:
        error = _ErrorBody.model_validate_json(body).error
        said = ": ".join(part for part in (error.code, error.message) if part)
    except ValidationError:
        said = body
    return without_secrets(" ".join(said.split())[:TEXT_MAX]) or "without a word"


def without_secrets(text: str) -> str:
    return _SECRET.sub(lambda found: f"{found.group(1) or ''}***", text)


@dataclass(frozen=True, slots=True)
class _Told:
    status: int
    asked: str
    said: str
    action: str
    response: HttpResponse


def _unknown(told: _Told) -> RolloutError:
    return Unknown(f"{told.asked}: not found ({told.said})")


def _later(told: _Told) -> RolloutError:
    after = retry_after(told.response.headers)
    undone = told.status in _UNDONE
    return Unavailable(f"{told.asked}: {told.status}, {told.said}", after, undone=undone)


def _not_signed_in(told: _Told) -> RolloutError:
    return Refused(
        f"{told.asked}: 401, {told.said}; see that the setting `identity` names somebody"
        " of this subscription's tenant, and sign in again"
    )


def _not_allowed(told: _Told) -> RolloutError:
    return Refused(
        f"{told.asked}: 403, {told.said}; give the controller's identity a role with the"
        f" action {told.action} on this scope"
    )


def _no(told: _Told) -> RolloutError:
    return Refused(f"{told.asked}: {told.status}, {told.said}")


_REACTIONS: Mapping[int, Callable[[_Told], RolloutError]] = {
    401: _not_signed_in,
    403: _not_allowed,
    404: _unknown,
    408: _later,
    409: _later,
    429: _later,
}


def _asked(response: HttpResponse) -> str:
    """Method and path; the query may hold a signature."""
    request = response.request
    return f"{request.method} {request.url.partition('?')[0]}"


def _checked(parse: Callable[[], T], what: str) -> T:
    try:
        return parse()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        if first["type"] == "json_invalid" and _BROKEN_OFF in first["msg"]:
            raise Unavailable(f"{what}: the answer breaks off") from error
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise Refused(f"{what}: the answer is not understood; {place}: {first['msg']}") from error


def _until(text: str, headers: Mapping[str, str]) -> float:
    then = parsedate_to_datetime(text)
    stamp = headers.get("Date")
    now = parsedate_to_datetime(stamp) if stamp else datetime.now(then.tzinfo)
    return (then - now).total_seconds()
