"""Runs every rule on the same rollouts and counts: false alarms, exposure, excess failures."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from benchmarks.judge.rules import RULES, Trial
from benchmarks.judge.scenarios import Cell, Scenarios, World, canary_rate
from benchmarks.judge.worlds import history, play
from rollout.analysis.plan import ENOUGH, evidence_rate


@dataclass(frozen=True, slots=True)
class Task:
    """All seeds of one endpoint in one world with one canary."""

    scenarios: Scenarios
    cell: Cell
    world: World
    effect: float
    seeds: range


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule did in each rollout: the minute it rolled back (None: never), and the cost."""

    rule: str
    cell: Cell
    world: str
    effect: float
    minutes: tuple[int | None, ...]
    exposures: tuple[int, ...]
    excess: float
    bound: float | None

    @property
    def rolled_back(self) -> float:
        return sum(minute is not None for minute in self.minutes) / len(self.minutes)

    @property
    def efficiency(self) -> float:
        """Canary requests served before the rollback, to the least any test needs."""
        return fmean(self.exposures) / (self.bound or math.nan)

    @property
    def efficiency_error(self) -> float:
        """The standard error of the efficiency's logarithm."""
        if len(self.exposures) < 2:
            return math.inf
        return stdev(self.exposures) / fmean(self.exposures) / math.sqrt(len(self.exposures))


def run(task: Task) -> list[Outcome]:
    """Play the task's rollouts and ask every rule about each."""
    scenarios = task.scenarios
    found: dict[str, list[tuple[int | None, int]]] = {name: [] for name in RULES}
    for seed in task.seeds:
        played = trial(task, seed)
        for name, rule in RULES.items():
            minute = rule(played)
            served = sum(one.canary for one in played.minutes[:minute])
            found[name].append((minute, served))
    bound = exposure_bound(scenarios, task.cell, task.effect)
    rate = task.cell.baseline_rate
    excess_rate = canary_rate(rate, task.effect) - rate
    return [
        Outcome(
            name,
            task.cell,
            task.world.name,
            task.effect,
            tuple(minute for minute, _ in each),
            tuple(served for _, served in each),
            excess_rate * fmean(served for _, served in each),
            bound,
        )
        for name, each in found.items()
    ]


def trial(task: Task, seed: int) -> Trial:
    """One rollout on the scenario's own schedule, and the baseline's minutes before it."""
    scenarios = task.scenarios
    past = history(task.cell, task.world, scenarios.history_minutes, seed)
    minutes = play(scenarios, task.cell, task.world, task.effect, seed)
    return Trial(minutes, scenarios.shares, past, scenarios.lag_minutes)


def exposure_bound(scenarios: Scenarios, cell: Cell, effect: float) -> float | None:
    """The least canary requests at 1 % false alarms; None where the schedule is too short."""
    if effect == 1:
        return None
    requests, rate = cell.requests_per_minute, cell.baseline_rate
    nats = 0.0
    shares = scenarios.shares[: scenarios.judged_minutes]
    for minute, share in enumerate(shares, 1):
        nats += requests * evidence_rate(share / 100, canary_rate(rate, effect), rate)
        if nats >= ENOUGH:
            served = scenarios.shares[: minute + scenarios.lag_minutes]
            late = minute + scenarios.lag_minutes > len(shares)
            return None if late else sum(requests * one / 100 for one in served)
    return None


def geometric_mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(fmean(logs)) if logs else math.nan


def bounded(outcomes: Iterable[Outcome], rule: str, world: str, effect: float) -> Sequence[Outcome]:
    """A rule's outcomes with a bad canary, where a perfect test could decide in time."""
    wanted = (rule, world, effect)
    return [
        one
        for one in outcomes
        if (one.rule, one.world, one.effect) == wanted and one.bound is not None
    ]
