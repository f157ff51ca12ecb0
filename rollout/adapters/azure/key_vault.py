"""Secrets in Key Vault, by Microsoft's own client."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from pydantic import SecretStr

from rollout.adapters.azure.answers import retry_after
from rollout.adapters.azure.pipeline import reads_only
from rollout.errors import Refused, Unavailable
from rollout.key_ports import SecretVersion

if TYPE_CHECKING:
    from azure.keyvault.secrets import KeyVaultSecret, SecretClient, SecretProperties

CONTENT_TYPE = "text/plain"
_OPTIONS = {"connection_timeout": 5, "read_timeout": 30}
_LATER = frozenset({408, 409, 429})
_T = TypeVar("_T")


class KeyVaultSecrets:
    """The port Secrets; the client is imported and opened at the first call.

    A write is sent once: a secret that is written twice has two versions. `options` go to
    Microsoft's client as they are.
    """

    def __init__(self, url: str, credential: TokenCredential, **options: Any) -> None:  # noqa: ANN401
        self._url = url.rstrip("/")
        self._credential = credential
        self._options = {**_OPTIONS, "retry_policy": reads_only(), **options}
        self._lock = Lock()
        self._client: SecretClient | None = None

    def close(self) -> None:
        with self._lock:
            if self._client:
                self._client.close()
            self._client = None

    def current(self, name: str) -> SecretVersion | None:
        """The latest version, also when it has expired: its value is still what clients have."""
        try:
            return self._ask(name, "get", lambda client: _version(client.get_secret(name)))
        except _Missing:
            return None

    def publish(
        self, name: str, value: SecretStr, expires_at: datetime, tags: Mapping[str, str]
    ) -> SecretVersion:
        def write(client: "SecretClient") -> SecretVersion:
            written = client.set_secret(
                name,
                value.get_secret_value(),
                content_type=CONTENT_TYPE,
                expires_on=expires_at,
                tags=dict(tags),
            )
            return _version(written)

        return self._ask(name, "set", write)

    def once(self, name: str, value: SecretStr) -> SecretStr:
        """Key Vault cannot write only where nothing is: the oldest version counts for all."""
        oldest = self._oldest(name)
        if oldest is None:
            plain = value.get_secret_value()
            self._ask(name, "set", lambda client: client.set_secret(name, plain))
            oldest = self._oldest(name)
        if oldest is None:
            raise Unavailable(f"{self._url}: the secret {name} was written, and is not listed yet")
        version = oldest
        found = self._ask(name, "get", lambda client: _version(client.get_secret(name, version)))
        return found.value

    def _oldest(self, name: str) -> str | None:
        def read(client: "SecretClient") -> str | None:
            versions = sorted(client.list_properties_of_secret_versions(name), key=_age)
            return versions[0].version if versions else None

        try:
            return self._ask(name, "list", read)
        except _Missing:
            return None

    def _ask(self, name: str, permission: str, call: "Callable[[SecretClient], _T]") -> _T:
        """One call; what Key Vault answers becomes one error per reaction, without any value."""
        place = f"{self._url}: the secret {name}"
        try:
            return call(self._opened())
        except ResourceNotFoundError as error:
            raise _Missing(f"{place} is not there") from error
        except ClientAuthenticationError as error:
            raise Refused(f"{place}: nobody has signed in for the controller") from error
        except HttpResponseError as error:
            raise _reaction(error, place, permission) from error
        except ValueError as error:  # the client's own: who answers there is no Key Vault
            raise Refused(f"{place}: no vault of that address answers; see key_vault") from error
        except AzureError as error:
            raise Unavailable(f"{place}: no usable answer ({type(error).__name__})") from error

    def _opened(self) -> "SecretClient":
        from azure.keyvault.secrets import SecretClient  # noqa: PLC0415 - costs 0.2 s

        with self._lock:
            if self._client is None:
                self._client = SecretClient(self._url, self._credential, **self._options)
            return self._client


class _Missing(Refused):
    """There is no such secret."""


def _reaction(error: HttpResponseError, place: str, permission: str) -> Refused | Unavailable:
    status = error.status_code or 0
    code = error.error.code if error.error and error.error.code else ""
    if status in _LATER or status >= 500:
        headers = getattr(error.response, "headers", {})
        return Unavailable(f"{place}: {status} {code}", retry_after(headers))
    if status in {401, 403}:
        return Refused(
            f"{place}: {status} {code}; give the controller's identity the role"
            f" Key Vault Secrets Officer on the vault (it may not {permission} secrets)"
        )
    return Refused(f"{place}: {status} {code}")


def _age(properties: "SecretProperties") -> tuple[datetime, str]:
    return properties.created_on or datetime.max.replace(tzinfo=UTC), properties.version or ""


def _version(secret: "KeyVaultSecret") -> SecretVersion:  # pragma: allowlist secret
    about = secret.properties
    return SecretVersion(
        id=about.version or "",
        value=SecretStr(secret.value or ""),
        created_at=about.created_on or datetime.min.replace(tzinfo=UTC),
        expires_at=about.expires_on,
        tags=dict(about.tags or {}),
    )
