"""Where state is kept, as the settings name it, and what removes the past there."""

from datetime import timedelta
from typing import TYPE_CHECKING

from rollout.kept_ports import Archive
from rollout.ports import Clock, Samples, Store
from rollout.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.credentials import TokenCredential

    from rollout.adapters.azure.storage.account import Account
    from rollout.retention import Retention


def retention_of(
    settings: Settings,
    store: Store,
    samples: Samples,
    clock: Clock,
    account: "Callable[[], Account]",
) -> "Retention":
    from rollout.retention import Retention  # noqa: PLC0415 - not for who only wants the account

    keep = timedelta(days=settings.keep_days) if settings.keep_days else None
    return Retention(store, _archive(settings, account), samples, clock, keep)


def _archive(settings: Settings, account: "Callable[[], Account]") -> Archive:
    """Each adapter is imported where it is made."""
    if settings.storage is None:
        from rollout.adapters.sqlite.archive import SqliteArchive  # noqa: PLC0415

        return SqliteArchive(settings.data / "rollout.db")
    from rollout.adapters.azure.storage.archive import TableArchive  # noqa: PLC0415

    return TableArchive(account())


def account_of(settings: Settings, credential: "Callable[[], TokenCredential]") -> "Account":
    """The storage account that the settings name."""
    from rollout.adapters.azure.storage.account import Account  # noqa: PLC0415

    assert settings.storage, settings
    storage = settings.storage.get_secret_value()
    if settings.is_azurite:
        return Account.in_azurite(storage, settings.installation)
    suffix = settings.storage_suffix
    return Account.on_azure(storage, suffix, credential(), settings.installation)
