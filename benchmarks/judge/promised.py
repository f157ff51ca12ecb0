"""Holds what a plan promises to what is then found: `python -m benchmarks.judge.promised`."""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.judge.measure import Task, trial
from benchmarks.judge.options import processes, seeds
from benchmarks.judge.rules import share_changes
from benchmarks.judge.scenarios import ALL, DEFAULT, load
from rollout.analysis.chance import Asked
from rollout.analysis.dispersion import learn
from rollout.analysis.excess import Margin, weigh
from rollout.analysis.plan import Leg, Traffic, foresee

MARGIN = Margin(1.25, 0.0005)
"""The margin of a policy by default."""


@dataclass(frozen=True, slots=True)
class Promise:
    """The chance that plans told on average, and the part of the rollouts that was found out."""

    task: Task
    promised: float
    found: float

    @property
    def points(self) -> float:
        return 100 * (self.promised - self.found)


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    scenarios = load(asked.scenarios)
    tasks = [
        Task(scenarios, cell, world, effect, asked.seeds)
        for world in scenarios.worlds
        for effect in scenarios.effects
        for cell in scenarios.cells
        if effect != ALL
    ]
    with ProcessPoolExecutor(asked.processes) as pool:
        print(told(list(pool.map(keep, tasks))))
    return 0


def keep(task: Task) -> Promise:
    """Plan each of the task's rollouts from its own history, and play it until 100 %."""
    scenarios = task.scenarios
    legs = [Leg(share, minutes) for share, minutes in scenarios.schedule]
    asked = Asked(MARGIN, planned_minutes=len(scenarios.shares))
    promised, found = list[float](), list[bool]()
    for seed in task.seeds:
        played = trial(task, seed)
        past = learn(played.history)
        traffic = Traffic(task.cell.requests_per_minute, past.rate or 0.0, past.phi)
        promised.append(foresee(legs, traffic, task.effect, asked).detection)
        judged = played.minutes[: scenarios.judged_minutes]
        trace = weigh(judged, past, MARGIN, share_changes(played))
        found.append(trace.most >= asked.enough(past.phi))
    return Promise(task, fmean(promised), fmean(found))


def told(promises: Sequence[Promise]) -> str:
    """By world: how far the plans are from what is found, in points."""
    lines = [
        "| world | plan less found, mean | lowest | highest | off by, mean |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in dict.fromkeys(one.task.world.name for one in promises):
        off = [one.points for one in promises if one.task.world.name == name]
        numbers = (fmean(off), min(off), max(off), fmean(map(abs, off)))
        lines.append(f"| {name} | " + " | ".join(f"{number:.0f}" for number in numbers) + " |")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.judge.promised", description=__doc__
    )
    parser.add_argument("--scenarios", type=Path, default=DEFAULT, help="a scenario file")
    parser.add_argument("--seeds", type=seeds, default=range(1000, 1100), help="first-last")
    parser.add_argument("--processes", type=processes, default=2)
    return parser


if __name__ == "__main__":
    sys.exit(main())
