"""Scenario files: what traffic, which worlds and which canaries are tried."""

import json
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

DEFAULT = Path(__file__).with_name("scenarios.json")


@dataclass(frozen=True, slots=True)
class World:
    """What else happens: a shared outage, a wandering rate, failures in clusters."""

    name: str
    outage_rate: float = 0.0
    outage_minutes: int = 0
    outage_begins: tuple[int, int] = (1, 1)
    wobble: float = 0.0
    wobble_memory: float = 0.0
    cluster_mean: float = 1.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One endpoint: its traffic and the rate at which its baseline fails."""

    requests_per_second: float
    baseline_rate: float

    @property
    def requests_per_minute(self) -> float:
        return 60 * self.requests_per_second


@dataclass(frozen=True, slots=True)
class Scenarios:
    lag_minutes: int
    schedule: tuple[tuple[int, int], ...]
    cells: tuple[Cell, ...]
    effects: tuple[float, ...]
    history_minutes: int
    worlds: tuple[World, ...]

    @property
    def shares(self) -> tuple[int, ...]:
        """The canary's share in percent in every minute."""
        return tuple(share for share, minutes in self.schedule for _ in range(minutes))

    @property
    def judged_minutes(self) -> int:
        """The minutes before the canary has all traffic."""
        return sum(share < 100 for share in self.shares)


ALL = float("inf")
"""The effect of a canary that fails every request."""


def load(path: Path = DEFAULT) -> Scenarios:
    """Read a scenario file; raises KeyError or TypeError where it has another form."""
    raw: dict[str, Any] = json.loads(path.read_text())
    pairs = product(raw["requests_per_second"], raw["baseline_rates"])
    return Scenarios(
        lag_minutes=raw["lag_minutes"],
        schedule=tuple((share, minutes) for share, minutes in raw["schedule"]),
        cells=tuple(Cell(rps, rate) for rps, rate in pairs),
        effects=tuple(ALL if effect == "all" else effect for effect in raw["effects"]),
        history_minutes=raw["history_minutes"],
        worlds=tuple(World(name, **_world(each)) for name, each in raw["worlds"].items()),
    )


def _world(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}


def canary_rate(baseline_rate: float, effect: float) -> float:
    return min(1.0, baseline_rate * effect)
