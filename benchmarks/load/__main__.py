"""Measure, print, and write docs/reference/load.md: python -m benchmarks.load."""

import argparse
import cProfile
import gc
import logging
import pstats
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.load.crowd import a_crowd
from tests.simulation.world import POLICY

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/load.md"
SIZES = (10, 100, 1000, 10_000)
LOOK_MINUTES = 60
SWEEPS = 20
WEEKS = 4
DAY = timedelta(days=1)
TOLD = 12

_HEAD = """\
# Load

<!-- Written by: python -m benchmarks.load -->

One process, one core, the embedded store, the real engine; Azure is simulated, so that its answers
take no time. An event is one look that is read, judged, decided and saved on disk. Times are of the
processor on the machine that measured; the ratios are what to compare.

| live rollouts | one event | to 10 rollouts | events a second | one sweep, nothing late |
|---:|---:|---:|---:|---:|
"""


def main() -> None:
    """Measure all of it; a few minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="live rollouts at most")
    most = parser.parse_args().most
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        rows = list(_events(Path(folder), [size for size in SIZES if size <= most]))
        where = list(_profile(Path(folder)))
        weeks = list(_month(Path(folder)))
    text = _HEAD + "\n".join(rows) + "\n\n## Where the time of an event goes\n\n"
    text += "| part | of all |\n|---|---:|\n" + "\n".join(where) + "\n"
    text += (
        "\nA part includes what it calls.\n\n## A month\n\nOne rollout after another for four"
        " weeks of simulated time, in one process.\n\n"
        "| week | rollouts so far | objects that Python holds | to the first week |\n"
        "|---:|---:|---:|---:|\n" + "\n".join(weeks) + "\n"
    )
    PAGE.write_text(text, "utf-8")
    print(text)


def _events(folder: Path, sizes: list[int]) -> Iterator[str]:
    first = 0.0
    for size in sizes:
        with a_crowd(folder, size) as crowd:
            event, sweep = crowd.look(LOOK_MINUTES), crowd.sweep(SWEEPS)
        first = first or event
        ratio, rate = event / first, 1 / event
        yield (
            f"| {size:,} | {event * 1e3:.1f} ms | {ratio:.2f} | {rate:.0f} | {sweep * 1e3:.2f} ms |"
        )


_PARTS = {
    "decide": ("machine/decide.py", "decide"),
    "judge the minutes": ("measuring/verdict.py", "judged"),
    "record: the entry and its hash": ("core/record.py", "record"),
    "load the head row": ("sqlite/store.py", "_load"),
    "save in one transaction": ("sqlite/store.py", "save"),
    "read the samples": ("sqlite/samples.py", "read"),
    "save the samples": ("sqlite/samples.py", "save"),
    "the queue": ("sqlite/queue.py", "send"),
    "take the measurements": ("measuring/measure.py", "take"),
}


def _profile(folder: Path) -> Iterator[str]:
    with a_crowd(folder, 1) as crowd:
        profile = cProfile.Profile()
        profile.enable()
        crowd.look(LOOK_MINUTES)
        profile.disable()
    stats = pstats.Stats(profile)
    found: dict[tuple[str, int, str], tuple[int, int, float, float]] = stats.stats  # type: ignore[attr-defined]
    whole = max(spent[3] for spent in found.values())
    parts = {
        name: sum(
            spent[3]
            for (path, _, function), spent in found.items()
            if path.endswith(file) and function == called
        )
        for name, (file, called) in _PARTS.items()
    }
    for name, spent in sorted(parts.items(), key=lambda part: -part[1]):
        yield f"| {name} | {spent / whole:.0%} |"
    stats.sort_stats("tottime").print_stats(TOLD)


def _month(folder: Path) -> Iterator[str]:
    """Rollouts end to end, each day one; how many things Python holds at the end of each week."""
    first = 0
    with a_crowd(folder, 2, POLICY) as crowd:
        world = crowd.world
        rollouts = 1
        for week in range(1, WEEKS + 1):
            for _ in range(7):
                world.run(minutes=75)
                world.clock.advance(DAY)
                world.azure.maps = world.azure.maps[-1:]
                world.azure.writes.clear()
                world.start("blue" if world.azure.traffic.share("green") else "green")
                rollouts += 1
            gc.collect()
            held = len(gc.get_objects())
            first = first or held
            yield f"| {week} | {rollouts} | {held:,} | {held / first:.2f} |"


if __name__ == "__main__":
    main()
