"""What stands behind the doors: the engine, arrivals, the API, the doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rollout.once import Once
from rollout.wiring.azure import arm
from rollout.wiring.kept import policies, queue, retention, store
from rollout.wiring.keys import lane, rotations, secrets
from rollout.wiring.people import desk, places, post
from rollout.wiring.process import clock, log, settings, telemetry
from rollout.wiring.reading import sources

if TYPE_CHECKING:
    from rollout.adapters.azure.entra import EntraTokens
    from rollout.api import Api
    from rollout.arrivals import Arrivals
    from rollout.doctor import Doctor
    from rollout.engine import Engine
    from rollout.ports import Store


@Once
def engine() -> Engine:
    from dataclasses import replace

    from rollout.adapters.azure.scoring import HttpScoring
    from rollout.looks import Looks
    from rollout.watched import WatchedEffects, WatchedEngine, WatchedStore, watched

    log()
    known, read, told = settings(), sources(), telemetry()
    seen = replace(
        read,
        endpoints=watched(read.endpoints, "endpoints", told),
        metrics=watched(read.metrics, "metrics", told),
        logs=watched(read.logs, "logs", told),
        custom=watched(read.custom, "custom", told),
    )
    looks = Looks(seen, known.workspaces, known.installation, known.targets.missing)
    scoring = watched(HttpScoring(arm()), "scoring", told)
    named = known.installation
    effects = WatchedEffects(seen.endpoints, scoring, policies(), named, clock(), places())
    kept = cast("Store", WatchedStore(store(), told))
    lent = watched(queue(), "queue", told)
    made = WatchedEngine(kept, lent, clock(), looks, effects, lane(), post=post())
    effects.telemetry = made.telemetry = told
    return made


@Once
def arrivals() -> Arrivals:
    from rollout.arrivals import Arrivals

    return Arrivals(engine(), policies(), queue(), clock(), rotations().on_expiry)


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
        entra=entra(),
        retention=retention(),
    )


@Once
def entra() -> EntraTokens | None:
    known = settings()
    if not known.entra_audience:
        return None
    from rollout.adapters.azure.entra import EntraTokens, Trust

    return EntraTokens(Trust(str(known.entra_tenant), known.entra_audience, known.entra_authority))


@Once
def doctor() -> Doctor:
    from rollout.adapters.azure.access import ArmAccess
    from rollout.doctor import Doctor, House, Platform, Vault
    from rollout.wakes import STEPS_QUEUE

    known, read = settings(), sources()
    house = House(
        store=store(),
        queue=queue(),
        queue_name=STEPS_QUEUE,
        policies=policies(),
        clock=clock(),
        missing=known.targets.missing,
    )
    platform = Platform(
        access=ArmAccess(arm()),
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
