"""Which implementation stands behind each port; each is made once a process, when first asked."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from azure.core.credentials import TokenCredential

from rollout.adapters.azure import identity
from rollout.adapters.azure.arm import ArmEndpoints
from rollout.adapters.azure.monitor import MonitorMetrics
from rollout.adapters.azure.pipeline import ArmClient
from rollout.adapters.azure.scoring import HttpScoring
from rollout.adapters.clock import SystemClock
from rollout.adapters.policy_folder import PolicyFolder
from rollout.adapters.sqlite.queue import SqliteQueue
from rollout.adapters.sqlite.samples import SqliteSamples
from rollout.adapters.sqlite.store import SqliteStore
from rollout.api import Api
from rollout.effects import Effects
from rollout.engine import Engine
from rollout.looks import Looks, Sources
from rollout.rehearsal.memory import Memory
from rollout.settings import Identity, Settings

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
def store() -> SqliteStore:
    return SqliteStore(_database())


@cache
def queue() -> SqliteQueue:
    return SqliteQueue(_database(), clock())


@cache
def policies() -> PolicyFolder:
    return PolicyFolder(settings().policies, settings().data / "policies")


@cache
def sources() -> Sources:
    """What looks and plans read from."""
    arm = _arm()
    return Sources(
        endpoints=ArmEndpoints(arm, settings().write_verb),
        metrics=MonitorMetrics(arm, clock().minute, settings().metrics_lag_minutes),
        samples=SqliteSamples(_database()),
        policies=policies(),
        clock=clock(),
    )


@cache
def engine() -> Engine:
    known, read = settings(), sources()
    looks = Looks(read, known.workspaces, known.installation)
    effects = Effects(read.endpoints, HttpScoring(_arm()), policies(), known.installation)
    return Engine(store(), queue(), clock(), looks, effects)


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
        memory=Memory(read.endpoints, read.metrics, read.samples, clock()),
    )


@cache
def _arm() -> ArmClient:
    known = settings()
    return ArmClient(known.arm_url, _CREDENTIALS[known.identity](known))


def _database() -> Path:
    return settings().data / "rollout.db"
