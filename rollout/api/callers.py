"""Who may ask: how each kind of caller shows that it is the one it says it is."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterator
from contextlib import suppress

from pydantic import SecretStr

from rollout.api.exchange import Request
from rollout.errors import Denied
from rollout.settings import PREFIX, Settings

Check = Callable[[Settings, Request], None]
"""Raises Denied where the caller has not shown that it may."""

TOKEN_HEADER = "x-rollout-token"  # noqa: S105 # nosec B105 - the header's name
SECRET_HEADER = "x-rollout-secret"  # noqa: S105 # nosec B105 # pragma: allowlist secret
SIGNATURE_HEADER = "x-hub-signature-256"
HANDSHAKE_HEADER = "aeg-event-type"
HANDSHAKE = "subscriptionvalidation"


def anyone(_settings: Settings, _request: Request) -> None:
    """Nothing here is secret, and nothing is changed."""


def token(settings: Settings, request: Request) -> None:
    """`Authorization: Bearer TOKEN`, with this controller's token."""
    if not _is_token(settings, _bearer(request)):
        raise Denied("send the header Authorization: Bearer TOKEN, with this controller's token")


def event_grid(settings: Settings, request: Request) -> None:
    """The token, which a subscription sends as a secret header; the handshake brings none yet."""
    if is_handshake(request):
        return
    shown = request.headers.get(TOKEN_HEADER, "") or _bearer(request)
    if not _is_token(settings, shown):
        raise Denied(
            "let the event subscription send this controller's token: a delivery property"
            " X-Rollout-Token, static and secret (or Authorization: Bearer TOKEN)"
        )


def is_handshake(request: Request) -> bool:
    return request.headers.get(HANDSHAKE_HEADER, "").lower() == HANDSHAKE


def github(settings: Settings, request: Request) -> None:
    """The HMAC of the raw body by the webhook: `X-Hub-Signature-256`."""
    secrets = list(_known(settings.github_secret, settings.github_secret_next))
    _check_configured(secrets, "github_secret")
    shown = request.headers.get(SIGNATURE_HEADER, "")
    if not shown:
        raise Denied("X-Hub-Signature-256 is missing: give the webhook its secret", _HMAC)
    right = [_same(shown, f"sha256={_signature(one, request.body)}") for one in secrets]
    if not any(right):
        raise Denied("X-Hub-Signature-256 is not that of this body under our secret", _HMAC)


def azure_devops(settings: Settings, request: Request) -> None:
    """The service hook's secret: as the password of basic auth, or in a header of its own."""
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


_HMAC = "HMAC-SHA256"


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


def _is_token(settings: Settings, shown: str) -> bool:
    known = settings.api_token.get_secret_value()
    return _same(shown, known) and bool(known)


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
    return hmac.compare_digest(_digest(shown), _digest(known))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
