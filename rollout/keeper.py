"""What removes the past, over the store that the settings name; the wiring gives it its parts."""

from datetime import timedelta
from typing import TYPE_CHECKING

from rollout.kept_ports import Archive
from rollout.ports import Clock, Samples, Store
from rollout.retention import Retention
from rollout.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.adapters.azure.storage.account import Account


def retention_of(
    settings: Settings,
    store: Store,
    samples: Samples,
    clock: Clock,
    account: "Callable[[], Account]",
) -> Retention:
    keep = timedelta(days=settings.keep_days) if settings.keep_days else None
    return Retention(store, _archive(settings, account), samples, clock, keep)


def _archive(settings: Settings, account: "Callable[[], Account]") -> Archive:
    """Each adapter is imported where it is made."""
    if settings.storage is None:
        from rollout.adapters.sqlite.archive import SqliteArchive  # noqa: PLC0415

        return SqliteArchive(settings.data / "rollout.db")
    from rollout.adapters.azure.storage.archive import TableArchive  # noqa: PLC0415

    return TableArchive(account())
