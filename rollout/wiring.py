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
def engine() -> Engine:
    known = settings()
    arm = ArmClient(known.arm_url, _CREDENTIALS[known.identity](known))
    endpoints = ArmEndpoints(arm, known.write_verb)
    sources = Sources(
        endpoints=endpoints,
        metrics=MonitorMetrics(arm, clock().minute, known.metrics_lag_minutes),
        samples=SqliteSamples(_database()),
        policies=policies(),
        clock=clock(),
    )
    looks = Looks(sources, known.workspaces, known.installation)
    effects = Effects(endpoints, HttpScoring(arm), policies(), known.installation)
    return Engine(store(), queue(), clock(), looks, effects)


@cache
def api() -> Api:
    return Api(
        engine=engine(),
        store=store(),
        queue=queue(),
        policies=policies(),
        clock=clock(),
        settings=settings(),
    )


def _database() -> Path:
    return settings().data / "rollout.db"
