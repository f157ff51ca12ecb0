"""Compares the judge with its peers' rules: `python -m benchmarks.judge [--quick]`."""

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.judge import measure, picture, table, whole
from benchmarks.judge.measure import Task
from benchmarks.judge.reference import differences
from benchmarks.judge.scenarios import DEFAULT, Scenarios, load
from rollout.analysis.judge import Terms, judge
from rollout.analysis.report import Guard
from rollout.analysis.samples import Counts, Latency, Minute, Samples
from rollout.core.guards import DEFAULT_GUARDS

QUICK = range(1000, 1040)
CHECKED = range(1000, 1100)


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    seeds = QUICK if asked.quick else asked.seeds
    scenarios = load(asked.scenarios)
    with ProcessPoolExecutor(asked.processes) as pool:
        tasks = _tasks(scenarios, seeds)
        outcomes = [one for each in pool.map(measure.run, tasks) for one in each]
        if asked.scenarios == DEFAULT:
            wrong = differences(scenarios, outcomes)
        else:  # the reference is of the default scenarios
            known = load(DEFAULT)
            played = [one for each in pool.map(measure.run, _tasks(known, CHECKED)) for one in each]
            wrong = differences(known, played)
        if wrong:
            print("The peers' rules do not do what they did in the reference:", *wrong, sep="\n- ")
            return 1
        _print(f"{len(seeds)} rollouts a cell, seeds {seeds.start}-{seeds.stop - 1}")
        _print("False alarms by world: mean / median [worst cell]; exposure by canary: x bound")
        _print(table.compared(scenarios, outcomes))
        _print("Exposure x bound by world, all bad canaries")
        _print(table.exposed(scenarios, outcomes))
        _print("Bad canaries rolled back in the schedule, and their cost in minutes of all traffic")
        _print(table.detected(scenarios, outcomes))
        few = seeds[: max(10, len(seeds) // 5)]
        _print(f"Whole rollouts at the judge's own pace, {len(few)} a cell, quiet world")
        _print(table.paced(list(pool.map(whole.run, _paced_tasks(scenarios, few)))))
    one, five = (
        1000 * _decision_seconds(guards) for guards in (DEFAULT_GUARDS[:1], DEFAULT_GUARDS)
    )
    _print(
        f"One decision on 60 minutes and 120 of history: {one:.1f} ms for an error guard,"
        f" {five:.1f} ms for the five of a policy"
    )
    picture.draw(scenarios, outcomes, asked.picture)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge", description=__doc__)
    parser.add_argument("--scenarios", type=Path, default=DEFAULT, help="a scenario file")
    parser.add_argument("--seeds", type=_range, default=range(1000, 1300), help="first-last")
    parser.add_argument("--quick", action="store_true", help="40 rollouts a cell, under a minute")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--picture", type=Path, default=DEFAULT.with_name("judge.svg"))
    return parser


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last) + 1)


def _print(text: str) -> None:
    print(text, end="\n\n", flush=True)


def _tasks(scenarios: Scenarios, seeds: range) -> list[Task]:
    """Good and bad canaries in every world."""
    return [
        Task(scenarios, cell, world, effect, seeds)
        for world in scenarios.worlds
        for effect in (1.0, *scenarios.effects)
        for cell in scenarios.cells
    ]


def _paced_tasks(scenarios: Scenarios, seeds: range) -> list[Task]:
    quiet = scenarios.worlds[0]
    return [
        Task(scenarios, cell, quiet, effect, seeds)
        for effect in (1.0, *scenarios.effects)
        for cell in scenarios.cells
    ]


def _decision_seconds(guards: Sequence[Guard]) -> float:
    """The median time of a decision."""
    begin, minute = datetime(2026, 3, 2, 12, tzinfo=UTC), timedelta(minutes=1)
    past = tuple(
        Minute(begin + at * minute, 0, None, Counts({200: 2990, 424: at % 9 + 4}))
        for at in range(-120, 0)
    )
    trial = tuple(
        Minute(
            begin + at * minute,
            5 if at < 30 else 25,
            Counts({200: 149, 424: at % 3}, Latency(50, 100, 130 + at % 7, 200)),
            Counts({200: 2840, 424: at % 9 + 5}, Latency(50, 100, 130 + at % 5, 200)),
        )
        for at in range(60)
    )
    return median(_timed(Samples(trial, past), guards) for _ in range(50))


def _timed(samples: Samples, guards: Sequence[Guard]) -> float:
    begin = time.process_time()
    judge(samples, guards, Terms())
    return time.process_time() - begin


if __name__ == "__main__":
    sys.exit(main())
