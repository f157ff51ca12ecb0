"""Which implementation stands behind each port; each is made once a process, when first asked.

What an implementation needs is imported where it is made: a function that starts pays for nothing
that it does not use.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from rollout.once import Once

if TYPE_CHECKING:
    from pathlib import Path

    from azure.core.credentials import TokenCredential
    from pydantic import SecretStr

    from rollout.adapters.azure.entra import EntraTokens
    from rollout.adapters.azure.logs import LogMetrics, LogsClient
    from rollout.adapters.azure.monitor import MonitorMetrics
    from rollout.adapters.azure.pipeline import ArmClient
    from rollout.adapters.azure.storage.account import Account
    from rollout.adapters.clock import SystemClock
    from rollout.adapters.custom_guards import GuardsByKind
    from rollout.adapters.outgoing import Outgoing
    from rollout.adapters.sqlite.queue import SqliteQueue
    from rollout.api import Api
    from rollout.arrivals import Arrivals
    from rollout.core.head import Head
    from rollout.doctor import Doctor
    from rollout.engine import Engine
    from rollout.feed_ports import FedStore
    from rollout.key_ports import Secrets
    from rollout.keys.lane import KeyLane
    from rollout.keys.ring import KeyRing
    from rollout.keys.rotations import Rotations
    from rollout.links import Desk
    from rollout.measuring import Sources
    from rollout.ports import PolicyFiles, Queue, Samples, Store, Telemetry
    from rollout.post import Post
    from rollout.retention import Retention
    from rollout.settings import Settings


@Once
def settings() -> Settings:
    """Raises Malformed that names each wrong setting."""
    from rollout.settings import Settings

    return Settings.load()


@Once
def clock() -> SystemClock:
    from rollout.adapters.clock import SystemClock

    return SystemClock(settings().clock_speed)


@Once
def store() -> FedStore:
    if settings().storage is None:
        from rollout.adapters.sqlite.store import SqliteStore

        return SqliteStore(_database())
    from rollout.adapters.azure.storage.store import TableStore

    return TableStore(_account())


@Once
def retention() -> Retention:
    from rollout.keeper import retention_of

    return retention_of(settings(), store(), samples(), clock(), _account)


@Once
def samples() -> Samples:
    if settings().storage is None:
        from rollout.adapters.sqlite.samples import SqliteSamples

        return SqliteSamples(_database())
    from rollout.adapters.azure.storage.samples import BlobSamples

    return BlobSamples(_account())


@Once
def queue() -> Queue:
    """Service Bus where the settings name it."""
    address = settings().service_bus
    if address is None:
        return embedded_queue()
    from rollout.adapters.azure import service_bus
    from rollout.engine import EVENTS_QUEUE, STEPS_QUEUE

    connect = partial(service_bus.connect, address.get_secret_value(), _credential())
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

    return PolicyPlaces(Folder(known.policies), PolicyContainer(_account()))


@Once
def sources() -> Sources:
    """What looks and plans read from."""
    from rollout.adapters.azure.arm import ArmEndpoints
    from rollout.adapters.azure.scoring import PROBE_MAX, HttpScoring
    from rollout.adapters.written import written
    from rollout.measuring import Sources

    return Sources(
        endpoints=ArmEndpoints(_arm(), settings().write_verb),
        metrics=_metrics(),
        samples=samples(),
        policies=policies(),
        clock=clock(),
        logs=_log_metrics(),
        custom=_custom_guards(),
        scoring=HttpScoring(_arm(), answer_max=PROBE_MAX),
        written=written(settings(), clock().minute, _logs(), _credential),
    )


@Once
def _metrics() -> MonitorMetrics:
    from rollout.adapters.azure.batch import MetricsBatch
    from rollout.adapters.azure.monitor import MonitorMetrics

    known, arm = settings(), _arm()
    batch = MetricsBatch(arm, known.metrics_url) if known.metrics_api == "batch" else None
    return MonitorMetrics(arm, clock().minute, known.metrics_lag_minutes, batch)


@Once
def _logs() -> LogsClient | None:
    known = settings()
    if known.logs_workspace is None:
        return None
    from rollout.adapters.azure.logs import LogsClient

    return LogsClient(known.logs_url, known.logs_workspace, _credential())


@Once
def _log_metrics() -> LogMetrics | None:
    logs = _logs()
    if logs is None:
        return None
    from rollout.adapters.azure.logs import LogMetrics

    return LogMetrics(logs, clock().minute, settings().logs_lag_minutes)


@Once
def _custom_guards() -> GuardsByKind:
    from rollout.asking import guards_of

    return guards_of(settings(), clock().minute, outgoing(), _logs())


@Once
def outgoing() -> Outgoing:
    """For addresses that people wrote into policies."""
    from rollout.adapters.outgoing import Outgoing

    return Outgoing(private=settings().outgoing_private)


@Once
def engine() -> Engine:
    from dataclasses import replace

    from rollout.adapters.azure.scoring import HttpScoring
    from rollout.looks import Looks
    from rollout.postal import places_of
    from rollout.telling import tell_log
    from rollout.watched import WatchedEffects, WatchedEngine, WatchedStore, watched

    tell_log(settings())
    known, read, told = settings(), sources(), telemetry()
    seen = replace(
        read,
        endpoints=watched(read.endpoints, "endpoints", told),
        metrics=watched(read.metrics, "metrics", told),
        logs=watched(read.logs, "logs", told),
        custom=watched(read.custom, "custom", told),
    )
    looks = Looks(seen, known.workspaces, known.installation)
    scoring = watched(HttpScoring(_arm()), "scoring", told)
    hooks = places_of(known, clock(), outgoing())
    effects = WatchedEffects(seen.endpoints, scoring, policies(), known.installation, hooks)
    kept = cast("Store", WatchedStore(store(), told))
    lent = watched(queue(), "queue", told)
    made = WatchedEngine(kept, lent, clock(), looks, effects, _lane(), post=post())
    effects.telemetry = made.telemetry = told
    return made


@Once
def post() -> Post:
    """Where people are told."""
    from rollout.postal import post_of

    return post_of(settings(), store(), clock(), outgoing(), desk())


@Once
def desk() -> Desk:
    """Who signs approval links."""
    from rollout.links import Desk

    return Desk(_installation_secret, settings().public_url)


@Once
def secrets() -> Secrets:
    known = settings()
    if known.key_vault:
        from rollout.adapters.azure.key_vault import KeyVaultSecrets

        return KeyVaultSecrets(known.key_vault, _credential())
    from rollout.adapters.secret_file import SecretFile

    return SecretFile(known.secrets, clock())


@Once
def rotations() -> Rotations:
    from rollout.adapters.azure.keys import ArmKeys
    from rollout.keys.rotations import Rotations

    return Rotations(
        lane=_lane(),
        ring=_ring(),
        endpoints=ArmKeys(_arm()),
        policies=policies(),
        store=store(),
        clock=clock(),
        workspaces=settings().workspaces,
    )


@Once
def _lane() -> KeyLane:
    from rollout.keys.lane import KeyLane
    from rollout.wakes import send_wake

    def send(head: Head) -> None:
        send_wake(queue(), head, head.due_at)

    return KeyLane(store(), clock(), _ring(), send)


@Once
def _ring() -> KeyRing:
    from rollout.adapters.azure.keys import ArmKeys
    from rollout.keys.ring import KeyRing

    ports = ArmKeys(_arm()), secrets(), sources().endpoints, policies(), clock()
    return KeyRing(*ports, _installation_secret)


@Once
def _installation_secret() -> SecretStr:
    from secrets import token_urlsafe

    from pydantic import SecretStr

    from rollout.keys.ring import INSTALLATION_SECRET

    made = SecretStr(token_urlsafe(32))
    return settings().installation_secret or secrets().once(INSTALLATION_SECRET, made)


@Once
def telemetry() -> Telemetry:
    """Where spans and metrics go."""
    from rollout.telling import telemetry_of

    return telemetry_of(settings())


@Once
def arrivals() -> Arrivals:
    from rollout.arrivals import Arrivals

    return Arrivals(engine(), policies(), queue(), clock(), rotations().near_expiry)


@Once
def api() -> Api:
    from rollout.adapters.token_file import TokenFile
    from rollout.api import Api
    from rollout.rehearsal.memory import Memory
    from rollout.settings import TOKENS_FILE

    read = sources()
    return Api(
        engine=engine(),
        store=store(),
        feed=store(),
        queue=queue(),
        keys=rotations(),
        policies=policies(),
        clock=clock(),
        settings=settings(),
        arrivals=arrivals(),
        memory=Memory(read.endpoints, read.metrics, read.samples, clock(), read.logs),
        doctor=doctor(),
        telemetry=telemetry(),
        desk=desk(),
        tokens=TokenFile(settings().data / TOKENS_FILE).tokens,
        entra=_entra(),
        retention=retention(),
    )


@Once
def _entra() -> EntraTokens | None:
    known = settings()
    if not known.entra_audience:
        return None
    from rollout.adapters.azure.entra import EntraTokens, Trust

    return EntraTokens(Trust(str(known.entra_tenant), known.entra_audience, known.entra_authority))


@Once
def doctor() -> Doctor:
    from rollout.adapters.azure.access import ArmAccess
    from rollout.doctor import Doctor, House, Platform, Vault
    from rollout.engine import STEPS_QUEUE

    known, read = settings(), sources()
    house = House(
        store=store(), queue=queue(), queue_name=STEPS_QUEUE, policies=policies(), clock=clock()
    )
    platform = Platform(
        access=ArmAccess(_arm()),
        clock=clock(),
        metrics=(read.metrics, *([read.logs] if read.logs else [])),
        workspaces=known.workspaces,
        assignee=known.client_id or "THE-CONTROLLERS-IDENTITY",
    )
    vault = Vault(
        secrets=secrets(),
        clock=clock(),
        rotated=rotations().rotated,
        key_vault=known.key_vault,
        assignee=platform.assignee,
    )
    return Doctor(house, platform, vault)


@Once
def _credential() -> TokenCredential:
    """One for all of Azure, so that its tokens are asked for once."""
    from rollout.adapters.azure.identity import credential_of

    return credential_of(settings().identity, settings().client_id)


@Once
def _account() -> Account:
    from rollout.keeper import account_of

    return account_of(settings(), _credential)


@Once
def _arm() -> ArmClient:
    from rollout.adapters.azure.pipeline import ArmClient

    return ArmClient(settings().arm_url, _credential())


def _database() -> Path:
    return settings().data / "rollout.db"
