"""Which implementation stands behind each port; each is made once a process, when first asked."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from azure.core.credentials import TokenCredential

from rollout.adapters.azure import identity
from rollout.adapters.azure.arm import ArmEndpoints
from rollout.adapters.azure.batch import MetricsBatch
from rollout.adapters.azure.kql_guard import KqlGuard
from rollout.adapters.azure.logs import LogMetrics, LogsClient
from rollout.adapters.azure.monitor import MonitorMetrics
from rollout.adapters.azure.pipeline import ArmClient
from rollout.adapters.azure.scoring import HttpScoring
from rollout.adapters.clock import SystemClock
from rollout.adapters.custom_guards import Answerer, GuardsByKind
from rollout.adapters.http_guard import HttpGuard
from rollout.adapters.outgoing import Outgoing
from rollout.adapters.policy_folder import Folder, PolicyFolder
from rollout.adapters.policy_places import PolicyPlaces
from rollout.adapters.prometheus import PrometheusGuard
from rollout.adapters.sqlite.queue import SqliteQueue
from rollout.adapters.sqlite.samples import SqliteSamples
from rollout.adapters.sqlite.store import SqliteStore
from rollout.api import Api
from rollout.arrivals import Arrivals
from rollout.effects import Effects
from rollout.engine import EVENTS_QUEUE, STEPS_QUEUE, Engine
from rollout.looks import Looks
from rollout.measuring import Sources
from rollout.ports import PolicyFiles, Queue, Samples, Store
from rollout.rehearsal.memory import Memory
from rollout.settings import Identity, Settings

if TYPE_CHECKING:
    from rollout.adapters.azure.storage.account import Account
    from rollout.doctor import Doctor

_CREDENTIALS: Mapping[Identity, Callable[[Settings], TokenCredential]] = {
    Identity.MANAGED: lambda settings: identity.managed(settings.client_id),
    Identity.DEVELOPER: lambda _: identity.developer(),
    Identity.EMULATOR: lambda _: identity.EmulatorCredential(),
}


@cache
def settings() -> Settings:
    """Raises Malformed that names each wrong setting."""
    return Settings.load()


@cache
def clock() -> SystemClock:
    return SystemClock(settings().clock_speed)


@cache
def store() -> Store:
    if settings().storage is None:
        return SqliteStore(_database())
    from rollout.adapters.azure.storage.store import TableStore  # noqa: PLC0415 - only on Azure

    return TableStore(_account())


@cache
def samples() -> Samples:
    if settings().storage is None:
        return SqliteSamples(_database())
    from rollout.adapters.azure.storage.samples import BlobSamples  # noqa: PLC0415 - only on Azure

    return BlobSamples(_account())


@cache
def queue() -> Queue:
    """Service Bus where the settings name it; imported only then."""
    address = settings().service_bus
    if address is None:
        return embedded_queue()
    from rollout.adapters.azure import service_bus  # noqa: PLC0415 - not on every machine

    known = address.get_secret_value()
    connect = partial(service_bus.connect, known, _credential())
    return service_bus.ServiceBusQueue(connect, clock(), (STEPS_QUEUE, EVENTS_QUEUE))


@cache
def embedded_queue() -> SqliteQueue:
    return SqliteQueue(_database(), clock())


@cache
def policies() -> PolicyFiles:
    known = settings()
    if known.storage is None:
        return PolicyFolder(known.policies, known.data / "policies")
    from rollout.adapters.azure.storage.policies import (  # noqa: PLC0415 - only on Azure
        PolicyContainer,
    )

    return PolicyPlaces(Folder(known.policies), PolicyContainer(_account()))


@cache
def sources() -> Sources:
    """What looks and plans read from."""
    arm = _arm()
    return Sources(
        endpoints=ArmEndpoints(arm, settings().write_verb),
        metrics=_metrics(arm),
        samples=samples(),
        policies=policies(),
        clock=clock(),
        logs=_log_metrics(),
        custom=_custom_guards(),
    )


def _metrics(arm: ArmClient) -> MonitorMetrics:
    known = settings()
    batch = MetricsBatch(arm, known.metrics_url) if known.metrics_api == "batch" else None
    return MonitorMetrics(arm, clock().minute, known.metrics_lag_minutes, batch)


@cache
def _logs() -> LogsClient | None:
    known = settings()
    if known.logs_workspace is None:
        return None
    return LogsClient(known.logs_url, known.logs_workspace, _credential())


def _log_metrics() -> LogMetrics | None:
    logs = _logs()
    return LogMetrics(logs, clock().minute, settings().logs_lag_minutes) if logs else None


def _custom_guards() -> GuardsByKind:
    known, minute, logs = settings(), clock().minute, _logs()
    answerers: dict[str, Answerer] = {"http": HttpGuard(outgoing())}
    if logs:
        answerers["kql"] = KqlGuard(logs, minute, known.logs_lag_minutes)
    if known.prometheus_url:
        private = Outgoing(private=True)  # its address is a setting, not a policy's
        answerers["prometheus"] = PrometheusGuard(
            private, known.prometheus_url, minute, known.prometheus_token
        )
    return GuardsByKind(answerers)


@cache
def outgoing() -> Outgoing:
    """For addresses that people wrote into policies."""
    return Outgoing(private=settings().outgoing_private)


@cache
def engine() -> Engine:
    known, read = settings(), sources()
    looks = Looks(read, known.workspaces, known.installation)
    effects = Effects(read.endpoints, HttpScoring(_arm()), policies(), known.installation)
    return Engine(store(), queue(), clock(), looks, effects)


@cache
def arrivals() -> Arrivals:
    return Arrivals(engine(), policies(), queue(), clock())


@cache
def api() -> Api:
    read = sources()
    return Api(
        engine=engine(),
        store=store(),
        queue=queue(),
        policies=policies(),
        clock=clock(),
        settings=settings(),
        arrivals=arrivals(),
        memory=Memory(read.endpoints, read.metrics, read.samples, clock(), read.logs),
        doctor=doctor(),
    )


@cache
def doctor() -> "Doctor":
    from rollout.adapters.azure.access import ArmAccess  # noqa: PLC0415 - no step needs it
    from rollout.doctor import Doctor, House, Platform  # noqa: PLC0415 - no step needs it

    known, read = settings(), sources()
    house = House(
        store=store(),
        queue=queue(),
        queue_name=STEPS_QUEUE,
        policies=policies(),
        clock=clock(),
    )
    platform = Platform(
        access=ArmAccess(_arm()),
        clock=clock(),
        metrics=(read.metrics, *([read.logs] if read.logs else [])),
        workspaces=known.workspaces,
        assignee=known.client_id or "THE-CONTROLLERS-IDENTITY",
    )
    return Doctor(house, platform)


@cache
def _account() -> "Account":
    from rollout.adapters.azure.storage.account import Account  # noqa: PLC0415 - only on Azure

    known = settings()
    assert known.storage, known
    storage = known.storage.get_secret_value()
    if known.is_azurite:
        return Account.in_azurite(storage, known.installation)
    credential = _CREDENTIALS[known.identity](known)
    return Account.on_azure(storage, known.storage_suffix, credential, known.installation)


@cache
def _arm() -> ArmClient:
    return ArmClient(settings().arm_url, _credential())


@cache
def _credential() -> TokenCredential:
    known = settings()
    return _CREDENTIALS[known.identity](known)


def _database() -> Path:
    return settings().data / "rollout.db"
