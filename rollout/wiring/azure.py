"""Who signs in to Azure, and the clients that everything else there goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.once import Once
from rollout.wiring.process import settings

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from rollout.adapters.azure.logs import LogsClient
    from rollout.adapters.azure.pipeline import ArmClient
    from rollout.adapters.azure.storage.account import Account


@Once
def credential() -> TokenCredential:
    """One for all of Azure, so that its tokens are asked for once."""
    from rollout.adapters.azure.identity import credential_of

    return credential_of(settings().identity, settings().client_id)


@Once
def arm() -> ArmClient:
    from rollout.adapters.azure.pipeline import ArmClient

    return ArmClient(settings().arm_url, credential())


@Once
def account() -> Account:
    """The storage account that the settings name."""
    from rollout.adapters.azure.storage.account import Account

    known = settings()
    assert known.storage, known
    storage = known.storage.get_secret_value()
    if known.is_azurite:
        return Account.in_azurite(storage, known.installation)
    return Account.on_azure(storage, known.storage_suffix, credential(), known.installation)


@Once
def logs() -> LogsClient | None:
    known = settings()
    if known.logs_workspace is None:
        return None
    from rollout.adapters.azure.logs import LogsClient

    return LogsClient(known.logs_url, known.logs_workspace, credential())
