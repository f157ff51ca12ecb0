"""Who may ask: how each kind of caller shows that it is the one it says it is."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qs

from pydantic import SecretStr

from rollout.api.exchange import Request
from rollout.core.callers import NOBODY, Caller, LocalToken, Role, digest
from rollout.errors import Denied, Malformed
from rollout.inbox import TooLarge
from rollout.links import Permit
from rollout.settings import PREFIX, Settings

TOKEN_HEADER = "x-rollout-token"  # noqa: S105 - the header's name # nosec B105
SECRET_HEADER = "x-rollout-secret"  # noqa: S105 # nosec B105 # pragma: allowlist secret
SIGNATURE_HEADER = "x-hub-signature-256"
HANDSHAKE_HEADER = "aeg-event-type"
PERMIT = "permit"
FORM_MAX = 32 * 1024
HANDSHAKE = "subscriptionvalidation"


class EntraReader(Protocol):
    """Reads an access token of Entra ID; raises Denied, or Unavailable."""

    def read(self, token: str) -> Caller: ...


@dataclass(frozen=True, slots=True)
class Locks:
    """What the doors know of those who may come in."""

    settings: Settings
    tokens: Callable[[], tuple[LocalToken, ...]] = tuple
    entra: EntraReader | None = None
    permit: Callable[[str], Permit] | None = None


Check = Callable[[Locks, Request], Caller]
"""Who asks; raises Denied where the caller has not shown it."""


def anyone(_locks: Locks, _request: Request) -> Caller:
    """Nothing here is secret, and nothing is changed."""
    return NOBODY


def token(locks: Locks, request: Request) -> Caller:
    """`Authorization: Bearer TOKEN`: a token of this controller, or an access token of Entra ID."""
    return _holder(locks, _bearer(request), "send the header Authorization: Bearer TOKEN")


def event_grid(locks: Locks, request: Request) -> Caller:
    """The token, which a subscription sends as a secret header; the handshake brings none yet."""
    if is_handshake(request):
        return Caller("Event Grid", frozenset({Role.OPERATOR}))
    shown = request.headers.get(TOKEN_HEADER, "") or _bearer(request)
    how = "let the event subscription send a token: a delivery property X-Rollout-Token,"
    return _holder(locks, shown, f"{how} static and secret (or Authorization: Bearer TOKEN)")


def is_handshake(request: Request) -> bool:
    return request.headers.get(HANDSHAKE_HEADER, "").lower() == HANDSHAKE


def github(locks: Locks, request: Request) -> Caller:
    """The HMAC of the raw body by the webhook: `X-Hub-Signature-256`."""
    settings = locks.settings
    secrets = list(_known(settings.github_secret, settings.github_secret_next))
    _check_configured(secrets, "github_secret")
    shown = request.headers.get(SIGNATURE_HEADER, "")
    if not shown:
        raise Denied("X-Hub-Signature-256 is missing: give the webhook its secret", _HMAC)
    right = [_same(shown, f"sha256={_signature(one, request.body)}") for one in secrets]
    if not any(right):
        raise Denied("X-Hub-Signature-256 is not that of this body under our secret", _HMAC)
    return Caller("GitHub", frozenset({Role.OPERATOR}))


def azure_devops(locks: Locks, request: Request) -> Caller:
    """The service hook's secret: as the password of basic auth, or in a header of its own."""
    settings = locks.settings
    secrets = list(_known(settings.azure_devops_secret, settings.azure_devops_secret_next))
    _check_configured(secrets, "azure_devops_secret")
    shown = request.headers.get(SECRET_HEADER) or _password(request)
    right = [_same(shown, one) for one in secrets]
    if not shown or not any(right):
        raise Denied(
            "send the service hook's secret: as the password of basic authentication,"
            " or in the HTTP header X-Rollout-Secret",
            'Basic realm="rollout"',
        )
    return Caller("Azure DevOps", frozenset({Role.OPERATOR}))


def approval_link(locks: Locks, request: Request) -> Caller:
    """The signed permit of an approval link: who holds it approves by the name that is on it."""
    shown = request.query.get(PERMIT) or read_form(request.body).get(PERMIT, "")
    if locks.permit is None:
        raise Denied("this controller has no approval links")
    return Caller(locks.permit(shown).who or None, frozenset({Role.APPROVER}))


def read_form(body: bytes) -> Mapping[str, str]:
    """The fields of a small form; raises Malformed, TooLarge."""
    if len(body) > FORM_MAX:
        raise TooLarge(f"the form has {len(body)} bytes; at most {FORM_MAX}")
    try:
        found = parse_qs(body.decode("ascii"), max_num_fields=10)
    except ValueError as error:
        raise Malformed("the body is no form: application/x-www-form-urlencoded") from error
    return {name: values[0] for name, values in found.items()}


_HMAC = "HMAC-SHA256"


def _holder(locks: Locks, shown: str, how: str) -> Caller:
    """Whose token that is; raises Denied with the remedy."""
    if locks.entra and _is_jwt(shown):
        return locks.entra.read(shown)
    found = [one for one in _named(locks) if _same_digest(digest(shown), one.sha256)]
    if shown and found:
        return Caller(found[0].name, frozenset({found[0].role}))
    if shown and any(_same(shown, one) for one in _known(locks.settings.api_token)):
        return Caller(None, frozenset({Role.ADMIN}))
    kinds = "this controller's" + (", or an access token of Entra ID" if locks.entra else "")
    raise Denied(f"{how}; the token is {kinds}")


def _is_jwt(shown: str) -> bool:
    return shown.startswith("eyJ") and shown.count(".") == 2


def _named(locks: Locks) -> tuple[LocalToken, ...]:
    return (*locks.settings.tokens, *locks.tokens())


def _signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _known(*secrets: SecretStr | None) -> Iterator[str]:
    """Those that are set: an empty secret lets nobody in."""
    for one in secrets:
        if one and one.get_secret_value():
            yield one.get_secret_value()


def _check_configured(secrets: list[str], setting: str) -> None:
    if not secrets:
        raise Denied(f"this door is closed until the controller has {PREFIX}{setting.upper()}")


def _bearer(request: Request) -> str:
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    return shown.strip() if scheme.lower() == "bearer" else ""


def _password(request: Request) -> str:
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    with suppress(binascii.Error, ValueError):
        return base64.b64decode(shown.strip(), validate=True).decode().partition(":")[2]
    return ""


def _same(shown: str, known: str) -> bool:
    """Compared in one time, whatever their lengths."""
    return _same_digest(digest(shown), digest(known))


def _same_digest(one: str, other: str) -> bool:
    return hmac.compare_digest(one, other)
