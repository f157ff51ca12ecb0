"""`python -m tests.journeys.mortal PLACES PHASES up …`: `rollout up` that dies at every place once.

A place is a call by which the controller changes something, before or after it, in one phase of
the rollout. What was died of is in the file PLACES. PHASES, by comma, are where it may die.

So that a journey takes a minute and not an hour, it is less patient with the dead than a real
host: a message's lease, the sweep's margin and the grace of whoever decided are seconds.
"""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import rollout.host
from rollout import waits
from rollout.__main__ import main
from rollout.adapters.azure.arm import ArmEndpoints
from rollout.adapters.azure.scoring import HttpScoring
from rollout.adapters.sqlite.queue import SqliteQueue
from rollout.adapters.sqlite.samples import SqliteSamples
from rollout.adapters.sqlite.store import SqliteStore
from rollout.core import record
from rollout.core.rotation import looked
from rollout.keys import ring

PATIENCE = timedelta(seconds=1)
GRACE = timedelta(seconds=2)

MORTAL: tuple[tuple[type[Any], str], ...] = (
    (SqliteStore, "save"),
    (SqliteQueue, "send"),
    (SqliteQueue, "complete"),
    (SqliteSamples, "save"),
    (ArmEndpoints, "set_traffic"),
    (ArmEndpoints, "claim"),
    (ArmEndpoints, "scale"),
    (ArmEndpoints, "delete"),
    (HttpScoring, "score"),
)


class Reaper:
    """Kills this process where it has not died yet, and writes the place down first."""

    def __init__(self, places: Path, phases: frozenset[str]) -> None:
        self._places = places
        self._phases = phases
        self._died = set(places.read_text().splitlines()) if places.exists() else set[str]()
        self._phase = "idle"

    def watch(self, kind: type[Any], name: str) -> None:
        """Make that method mortal."""
        setattr(kind, name, self._mortal(f"{kind.__name__}.{name}", getattr(kind, name)))

    def listen(self) -> None:
        """Learn the phase from every row that is loaded."""
        load = SqliteStore.load

        def listening(store: SqliteStore, endpoint: Any) -> Any:
            held = load(store, endpoint)
            self._phase = held.head.phase.value
            return held

        setattr(SqliteStore, "load", listening)  # noqa: B010 - for the type checker

    def _mortal(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*given: Any, **named: Any) -> Any:
            phase = self._phase
            if name == "SqliteStore.save":
                phase = self._phase = given[2].phase.value
            self._pass(f"{name} before, {phase}", phase)
            answer = method(*given, **named)
            self._pass(f"{name} after, {phase}", phase)
            return answer

        return call

    def _pass(self, place: str, phase: str) -> None:
        if place in self._died or phase not in self._phases:
            return
        with self._places.open("a") as places:
            places.write(f"{place}\n")
        os.kill(os.getpid(), signal.SIGKILL)


def hurry() -> None:
    """Shorten the patience with processes that may be dead."""
    read = rollout.host.HostSettings.read
    hurried = staticmethod(lambda: replace(read(), lease=PATIENCE))
    setattr(rollout.host.HostSettings, "read", hurried)  # noqa: B010 - for the type checker
    waits.SWEEP_MARGIN = PATIENCE
    record._GRACE_OF_SMOKE = GRACE
    record._GRACE = GRACE
    looked.GRACE = GRACE
    ring.PROBING_MAX = GRACE / 2


def make_mortal(places: Path, phases: str) -> None:
    """Let this process die at every place, once, and be in a hurry."""
    reaper = Reaper(places, frozenset(phases.split(",")))
    hurry()
    reaper.listen()
    for kind, name in MORTAL:
        reaper.watch(kind, name)


if __name__ == "__main__":
    make_mortal(Path(sys.argv.pop(1)), sys.argv.pop(1))
    main()
