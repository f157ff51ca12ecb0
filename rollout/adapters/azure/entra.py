"""Access tokens of Entra ID: whose they are, which roles they bring, and why one is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from rollout.adapters.azure.signing_keys import SigningKeys
from rollout.core.callers import WHO_MAX, Caller, Role, roles_named
from rollout.errors import Denied

CLOCK_SKEW_SECONDS = 60
LONGEST = 16 * 1024
ALERTS_ROLE = "ActionGroupsSecureWebhook"
"""The app role that Azure Monitor must have before it sends to a secured webhook."""
ACTION_GROUPS = "461e8683-5575-4561-ac7f-899cc907d62a"
"""The application as which the action groups of Azure Monitor call."""
_CHALLENGE = 'Bearer realm="rollout", error="invalid_token"'
_STS: Mapping[str, str] = {"login.partner.microsoftonline.cn": "https://sts.chinacloudapi.cn"}
_NEEDED = ("exp", "iat", "nbf", "aud", "iss", "tid", "oid")


class Keys(Protocol):
    """Where the public keys come from."""

    def find(self, key_id: str) -> Any: ...  # noqa: ANN401 - PyJWT's, imported late


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose tokens are taken: of one tenant, for these audiences."""

    tenant: str
    audiences: Sequence[str]
    authority: str

    @property
    def issuers(self) -> list[str]:
        """As tokens of version 2 and of version 1 write it."""
        sts = _STS.get(urlsplit(self.authority).hostname or "", "https://sts.windows.net")
        return [f"{self.authority}/{self.tenant}/v2.0", f"{sts}/{self.tenant}/"]

    @property
    def keys_url(self) -> str:
        return f"{self.authority}/{self.tenant}/discovery/v2.0/keys"


class EntraTokens:
    """Reads access tokens; imports PyJWT when the first one comes."""

    def __init__(self, trust: Trust, keys: Keys | None = None) -> None:
        self._trust = trust
        self._keys = keys or SigningKeys(trust.keys_url)

    def read(self, token: str) -> Caller:
        """Who it names; raises Denied that says what is wrong with it, Unavailable without keys."""
        if len(token) > LONGEST or not token.isascii():
            raise _denied("it is no access token")
        claims = self._claims(token)
        if str(claims["tid"]).lower() != self._trust.tenant.lower():
            raise _denied("it is of another tenant")
        application = claims.get("azp") or claims.get("appid")
        if not isinstance(application, str):
            raise _denied("it is no access token; an ID token opens no door")
        return _caller(claims, application)

    def _claims(self, token: str) -> Mapping[str, Any]:
        import jwt  # noqa: PLC0415 - only where such a token comes
        from jwt import exceptions as wrong  # noqa: PLC0415 - the same

        told: tuple[tuple[type[Exception], str], ...] = (
            (wrong.ExpiredSignatureError, "it has expired; get a new one"),
            (wrong.ImmatureSignatureError, "it is not valid yet; see the clocks of both machines"),
            (wrong.InvalidAudienceError, f"it is not for {' or '.join(self._trust.audiences)}"),
            (wrong.InvalidIssuerError, "it was issued by another tenant, or not by Entra ID"),
            (wrong.InvalidSignatureError, "its signature is not that of Entra ID"),
            (wrong.InvalidAlgorithmError, "it must be signed with RS256"),
            (wrong.MissingRequiredClaimError, "a claim is missing that access tokens have"),
        )
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != "RS256":
                raise wrong.InvalidAlgorithmError
            key = self._keys.find(str(header.get("kid")))
            if key is None:
                raise _denied("its signing key is not one that Entra ID publishes")
            return jwt.decode(
                token,
                key=key,
                algorithms=["RS256"],
                audience=list(self._trust.audiences),
                issuer=self._trust.issuers,
                leeway=CLOCK_SKEW_SECONDS,
                options={"require": list(_NEEDED)},
            )
        except (wrong.PyJWTError, ValueError) as error:
            why = next((text for kind, text in told if isinstance(error, kind)), "it is no token")
            raise _denied(why) from None


def _denied(why: str) -> Denied:
    return Denied(f"the token of Entra ID is not taken: {why}", _CHALLENGE)


def _caller(claims: Mapping[str, Any], application: str) -> Caller:
    words = _words(claims.get("roles"))
    roles = roles_named(words)
    if ALERTS_ROLE in words:
        roles |= {Role.ALERTER}
    others = {word for word in words if word != ALERTS_ROLE} - {role.value for role in Role}
    groups = {str(claims["oid"]), *_words(claims.get("groups")), *others}
    return Caller(_name(claims, application), roles, frozenset(groups))


def _words(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _name(claims: Mapping[str, Any], application: str) -> str:
    """A person by the name they sign in with; an application, or a managed identity, by its id."""
    if application == ACTION_GROUPS:
        return "Azure Monitor"
    person = claims.get("preferred_username") or claims.get("upn") if claims.get("scp") else None
    if isinstance(person, str) and person.isprintable():
        return person[:WHO_MAX]
    kind, known = ("person", claims["oid"]) if claims.get("scp") else ("app", application)
    return f"{kind}:{known}"[:WHO_MAX] if str(known).isprintable() else "app"
