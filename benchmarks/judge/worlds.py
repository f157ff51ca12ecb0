"""Plays the counts of one rollout, minute by minute, from a seed."""

from dataclasses import dataclass, replace
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from benchmarks.judge.scenarios import Cell, Scenarios, World, canary_rate
from rollout.analysis.split import Split

Rates = NDArray[np.float64]


@dataclass(slots=True)
class Endpoint:
    """One endpoint in one world; it can be asked for its next minute at any share."""

    cell: Cell
    world: World
    effect: float
    random: np.random.Generator
    usual: Rates
    outage: frozenset[int]

    @classmethod
    def begin(cls, cell: Cell, world: World, effect: float, minutes: int, seed: int) -> Self:
        place = crc32(repr((cell, world, effect)).encode())  # cells do not share their luck
        random = np.random.default_rng((seed, place))
        usual = cell.baseline_rate * _wandering(world, minutes, random)
        outage = _outage(world, world.outage_begins, random)
        return cls(cell, world, effect, random, usual, outage)

    def minute(self, number: int, share: int) -> Split:
        """The counts of a minute, numbered from 1."""
        requests = int(self.random.poisson(self.cell.requests_per_minute))
        canary = int(self.random.binomial(requests, share / 100))
        usual = float(self.usual[number - 1])
        return Split(
            canary,
            self._failures(canary, canary_rate(usual, self.effect), number),
            requests - canary,
            self._failures(requests - canary, min(1.0, usual), number),
        )

    def _failures(self, requests: int, rate: float, number: int) -> int:
        own = self._own_failures(requests, rate)
        if number not in self.outage:
            return own
        return own + int(self.random.binomial(requests - own, self.world.outage_rate))

    def _own_failures(self, requests: int, rate: float) -> int:
        mean = self.world.cluster_mean
        if mean <= 1 or rate >= 1:
            return int(self.random.binomial(requests, rate))
        clusters = int(self.random.binomial(requests, rate / mean))
        return min(requests, int(self.random.geometric(1 / mean, clusters).sum()))


def history(cell: Cell, world: World, minutes: int, seed: int) -> list[tuple[int, int]]:
    """The baseline's minutes before the rollout, from the same world."""
    if world.calm_history:
        world = replace(world, cluster_mean=1.0)
    begins = (1, max(1, minutes - world.outage_minutes))
    past = Endpoint.begin(cell, world, 1.0, minutes, seed + 1_000_003)
    past.outage = _outage(world, begins, past.random)
    played = [past.minute(number, 0) for number in range(1, minutes + 1)]
    return [(one.baseline, one.baseline_bad) for one in played]


def play(scenarios: Scenarios, cell: Cell, world: World, effect: float, seed: int) -> list[Split]:
    """A whole rollout on the scenario's own schedule."""
    shares = scenarios.shares
    endpoint = Endpoint.begin(cell, world, effect, len(shares), seed)
    return [endpoint.minute(number, share) for number, share in enumerate(shares, 1)]


def _wandering(world: World, minutes: int, random: np.random.Generator) -> Rates:
    """Factors exp(wobble a - wobble^2 / 2), where a is an AR(1) of variance 1."""
    level = random.standard_normal()
    memory, fresh = world.wobble_memory, np.sqrt(1 - world.wobble_memory**2)
    levels = []
    for step in random.standard_normal(minutes):
        levels.append(level)
        level = memory * level + fresh * step
    return np.exp(world.wobble * np.array(levels) - world.wobble**2 / 2)


def _outage(world: World, begins: tuple[int, int], random: np.random.Generator) -> frozenset[int]:
    if not world.outage_minutes:
        return frozenset()
    first = int(random.integers(begins[0], begins[1] + 1))
    return frozenset(range(first, first + world.outage_minutes))
