"""In whose name ARM is asked; azure-identity is imported only where somebody signs in."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessToken, TokenCredential

from rollout.settings import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PATIENCE: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 10, "retry_total": 1}
"""The SDK's own is five minutes for each try: a function is killed by then, and all beside it."""


def credential_of(identity: Identity, client_id: str | None = None) -> TokenCredential:
    """The one way to sign in that the settings name."""
    ways: Mapping[Identity, Callable[[], TokenCredential]] = {
        Identity.MANAGED: lambda: managed(client_id),
        Identity.DEVELOPER: developer,
        Identity.EMULATOR: EmulatorCredential,
    }
    return ways[identity]()


def managed(client_id: str | None = None) -> TokenCredential:
    """The app's managed identity; `client_id` names a user-assigned one."""
    from azure.identity import ManagedIdentityCredential  # noqa: PLC0415 - costs half a start

    return ManagedIdentityCredential(client_id=client_id, **PATIENCE)


def developer() -> TokenCredential:
    """Whoever has signed in on this machine by `az`, `azd` or PowerShell."""
    from azure.identity import (  # noqa: PLC0415 - costs half a start
        AzureCliCredential,
        AzureDeveloperCliCredential,
        AzurePowerShellCredential,
        ChainedTokenCredential,
    )

    return ChainedTokenCredential(
        AzureCliCredential(), AzureDeveloperCliCredential(), AzurePowerShellCredential()
    )


class EmulatorCredential:
    """Nobody: the emulator takes any token."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:  # noqa: ANN401 - theirs
        return AccessToken("emulator", int((datetime.now(UTC) + timedelta(days=1)).timestamp()))
