"""Where state, samples, policies and messages are kept, and what removes the past there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rollout.once import Once
from rollout.wiring.azure import account, credential
from rollout.wiring.process import clock, settings

if TYPE_CHECKING:
    from pathlib import Path

    from rollout.adapters.sqlite.queue import SqliteQueue
    from rollout.feed_ports import FedStore
    from rollout.kept_ports import Archive
    from rollout.ports import PolicyFiles, Queue, Samples
    from rollout.retention import Retention


@Once
def store() -> FedStore:
    if settings().storage is None:
        from rollout.adapters.sqlite.store import SqliteStore

        return SqliteStore(_database())
    from rollout.adapters.azure.storage.store import TableStore

    return TableStore(account())


@Once
def samples() -> Samples:
    if settings().storage is None:
        from rollout.adapters.sqlite.samples import SqliteSamples

        return SqliteSamples(_database())
    from rollout.adapters.azure.storage.samples import BlobSamples

    return BlobSamples(account())


@Once
def queue() -> Queue:
    """Service Bus where the settings name it."""
    address = settings().service_bus
    if address is None:
        return embedded_queue()
    from rollout.adapters.azure import service_bus
    from rollout.wakes import EVENTS_QUEUE, STEPS_QUEUE

    connect = partial(service_bus.connect, address.get_secret_value(), credential())
    return service_bus.ServiceBusQueue(connect, clock(), (STEPS_QUEUE, EVENTS_QUEUE))


@Once
def embedded_queue() -> SqliteQueue:
    from rollout.adapters.sqlite.queue import SqliteQueue

    return SqliteQueue(_database(), clock())


@Once
def policies() -> PolicyFiles:
    from rollout.adapters.policy_folder import Folder, PolicyFolder

    known = settings()
    if known.storage is None:
        return PolicyFolder(known.policies, known.data / "policies")
    from rollout.adapters.azure.storage.policies import PolicyContainer
    from rollout.adapters.policy_places import PolicyPlaces

    return PolicyPlaces(Folder(known.policies), PolicyContainer(account()))


@Once
def retention() -> Retention:
    from datetime import timedelta

    from rollout.retention import Retention

    days = settings().keep_days
    keep = timedelta(days=days) if days else None
    graves = embedded_queue() if settings().service_bus is None else None
    return Retention(store(), archive(), samples(), clock(), keep, graves)


@Once
def archive() -> Archive:
    if settings().storage is None:
        from rollout.adapters.sqlite.archive import SqliteArchive

        return SqliteArchive(_database())
    from rollout.adapters.azure.storage.archive import TableArchive

    return TableArchive(account())


def _database() -> Path:
    return settings().data / "rollout.db"
