"""Compares the judge with its peers' rules: `python -m benchmarks.judge [--quick]`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

from benchmarks.judge import measure, options, page, picture, table, timed, whole
from benchmarks.judge.measure import Outcome, Task
from benchmarks.judge.reference import differences
from benchmarks.judge.scenarios import DEFAULT, Cell, Scenarios, WrongFile, load

QUICK = range(1000, 1040)
CHECKED = range(1000, 1100)
GOOD_LOADS = (50.0, 100.0)
"""Requests a second at which good rollouts are timed beside the scenario's own."""

Check = Callable[[Executor, Scenarios, Sequence[Outcome]], Sequence[str]]


def main(arguments: Sequence[str] | None = None, check: Check | None = None) -> int:
    """Measure and print; nothing is printed unless `check` finds the peers as they should be."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    seeds = QUICK if asked.quick else asked.seeds
    try:
        scenarios = load(asked.scenarios)
    except WrongFile as error:
        parser.error(str(error))
    with ProcessPoolExecutor(asked.processes) as pool:
        outcomes = _played(pool, scenarios, seeds)
        wrong = (check or _as_in_the_reference)(pool, scenarios, outcomes)
        if wrong:
            print("The peers' rules do not do what they did in the reference:", *wrong, sep="\n- ")
            return 1
        told = _told(pool, scenarios, seeds, outcomes)
    print(told)
    if asked.page:
        page.redraw(asked.page, told)
    if asked.picture:
        picture.draw(scenarios, outcomes, asked.picture)
    return 0


def _played(pool: Executor, scenarios: Scenarios, seeds: range) -> list[Outcome]:
    return [one for each in pool.map(measure.run, _tasks(scenarios, seeds)) for one in each]


def _as_in_the_reference(
    pool: Executor, scenarios: Scenarios, outcomes: Sequence[Outcome]
) -> Sequence[str]:
    """Hold the peers to the reference; it is of the default scenarios, so those are played."""
    known = load()
    played = outcomes if scenarios == known else _played(pool, known, CHECKED)
    return differences(known, played)


def _told(pool: Executor, scenarios: Scenarios, seeds: range, outcomes: Sequence[Outcome]) -> str:
    few = seeds[: max(10, len(seeds) // 5)]
    effects = (1.0, *scenarios.effects)
    paced = list(pool.map(whole.run, _paced_tasks(scenarios, few, effects)))
    good = list(pool.map(whole.run, _good_tasks(scenarios, few)))
    lenient = list(pool.map(whole.run_by_default, _paced_tasks(scenarios, few, (1.0,))))
    first = scenarios.worlds[0].name
    parts = {
        "False alarms by world: mean / median [worst cell]; exposure by canary: x bound": (
            table.compared(scenarios, outcomes)
        ),
        "Exposure x bound by world, all bad canaries": table.exposed(scenarios, outcomes),
        "Bad canaries rolled back in the schedule, and their cost in minutes of all traffic": (
            table.detected(scenarios, outcomes)
        ),
        f"Whole rollouts in adaptive pace, {len(few)} a cell, world: {first}": (
            table.paced(paced, lenient)
        ),
        "Minutes until a good canary has all traffic, median, by the baseline's failures": (
            table.good([*good, *(one for one in paced if one.task.effect == 1)])
        ),
    }
    sections = [f"**{title}**\n\n{rows}" for title, rows in parts.items()]
    head = f"{len(seeds)} rollouts a cell, seeds {seeds.start}-{seeds.stop - 1}."
    return "\n\n".join([head, *sections, timed.told()])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge", description=__doc__)
    parser.add_argument("--scenarios", type=Path, default=DEFAULT, help="a scenario file")
    parser.add_argument("--seeds", type=options.seeds, default=range(1000, 1300), help="first-last")
    parser.add_argument("--quick", action="store_true", help="40 rollouts a cell, under a minute")
    parser.add_argument("--processes", type=options.processes, default=2)
    parser.add_argument("--picture", type=Path, help="where to draw the picture (SVG)")
    parser.add_argument("--page", type=Path, help="the page whose tables are redrawn")
    return parser


def _tasks(scenarios: Scenarios, seeds: range) -> list[Task]:
    """Good and bad canaries in every world."""
    return [
        Task(scenarios, cell, world, effect, seeds)
        for world in scenarios.worlds
        for effect in (1.0, *scenarios.effects)
        for cell in scenarios.cells
    ]


def _paced_tasks(scenarios: Scenarios, seeds: range, effects: Sequence[float]) -> list[Task]:
    first = scenarios.worlds[0]
    return [
        Task(scenarios, cell, first, effect, seeds)
        for effect in effects
        for cell in scenarios.cells
    ]


def _good_tasks(scenarios: Scenarios, seeds: range) -> list[Task]:
    rates = dict.fromkeys(cell.baseline_rate for cell in scenarios.cells)
    cells = [Cell(load, rate) for load in GOOD_LOADS for rate in rates]
    known = set(scenarios.cells)
    return [
        Task(scenarios, cell, scenarios.worlds[0], 1.0, seeds)
        for cell in cells
        if cell not in known
    ]


if __name__ == "__main__":
    sys.exit(main())
