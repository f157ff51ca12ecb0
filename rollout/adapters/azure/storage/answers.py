"""What a no from Azure Storage means for us, and what helps."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)
from azure.core.pipeline import PipelineResponse

from rollout.errors import Conflict, Refused, RolloutError, Unavailable, Unknown

TABLE_ROLE = "Storage Table Data Contributor"
BLOB_ROLE = "Storage Blob Data Contributor"

_LATER = frozenset({408, 429, 500, 502, 503, 504})
_WRITTEN_FIRST = frozenset(
    {"EntityAlreadyExists", "BlobAlreadyExists", "UpdateConditionNotSatisfied", "ConditionNotMet"}
)
_NOT_MADE: Mapping[str, str] = {"TableNotFound": "table", "ContainerNotFound": "container"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of which account, and the role that allows it."""

    account: str
    what: str
    role: str

    def __str__(self) -> str:
        return f"storage account {self.account}, {self.what}"


@contextmanager
def explaining(asked: Asked) -> Iterator[None]:
    """Raises Conflict, Unavailable, Refused or Unknown; never with a text that Azure wrote."""
    try:
        yield
    except AzureError as error:
        raise _told(asked, error) from error


def not_before_its_time(answer: PipelineResponse[Any, Any]) -> None:
    """Raises Unavailable where an answer names its time: the SDK would sleep in our function."""
    response = answer.http_response
    if response.status_code in _LATER and _retry_after(response.headers) is not None:
        raise Unavailable(
            f"{response.request.url.partition('?')[0]} is busy ({response.status_code})",
            _retry_after(response.headers),
        )


def is_not_made(error: AzureError) -> bool:
    """Whether the table or the container itself is missing, not what was asked of it."""
    return _code(error) in _NOT_MADE


def _code(error: AzureError) -> str:
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _told(asked: Asked, error: AzureError) -> RolloutError:
    code = _code(error)
    if not isinstance(error, HttpResponseError) or error.status_code is None:
        return _unanswered(asked, error)
    status = error.status_code
    if status == 412 or code in _WRITTEN_FIRST:
        return Conflict(f"{asked}: another worker wrote first")
    if status in _LATER:
        after = _retry_after(getattr(error.response, "headers", {}))
        return Unavailable(f"{asked}: busy ({status} {code})", after)
    if code in _NOT_MADE:
        return _missing(asked, code)
    told = _REFUSALS.get(status)
    return told(asked, code) if told else Refused(f"{asked}: {status} {code}; please report it")


def _unanswered(asked: Asked, error: AzureError) -> RolloutError:
    if isinstance(error, ClientAuthenticationError):
        return Refused(
            f"{asked}: nobody has signed in for the controller ({type(error).__name__});"
            " on Azure give the app its managed identity, elsewhere sign in by `az login`"
        )
    if isinstance(error, ServiceRequestError):
        return Unavailable(
            f"{asked}: cannot be reached; see that ROLLOUT_STORAGE names an account that there is,"
            " and that its network rules let this app in"
        )
    return Unavailable(f"{asked}: no answer ({type(error).__name__})")


def _missing(asked: Asked, code: str) -> RolloutError:
    kind = _NOT_MADE[code]
    return Refused(
        f"{asked}: there is no such {kind}, and state is never begun anew in silence;"
        f" deploy the infrastructure again, or create it by `az storage {kind} create --auth-mode"
        f" login --account-name {asked.account} --name {asked.what.split()[-1]}`"
    )


def _forbidden(asked: Asked, code: str) -> RolloutError:
    return Refused(
        f"{asked}: 403 {code}; give the controller's identity the role {asked.role!r} on this"
        " account (it takes some minutes to count), and see that its network rules let this app in"
    )


def _not_known(asked: Asked, code: str) -> RolloutError:
    return Refused(
        f"{asked}: 401 {code}; the account does not know this identity: see that ROLLOUT_STORAGE"
        " names an account of the identity's own tenant"
    )


_REFUSALS: Mapping[int, Callable[[Asked, str], RolloutError]] = {
    401: _not_known,
    403: _forbidden,
    404: lambda asked, code: Unknown(f"{asked}: 404 {code}"),
}


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    seconds = headers.get("Retry-After", "")
    return timedelta(seconds=int(seconds)) if seconds.isdecimal() else None
