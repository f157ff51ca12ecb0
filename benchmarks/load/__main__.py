"""Measure, print, and write docs/reference/load.md: python -m benchmarks.load."""

import argparse
import gc
import logging
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.load import outage, parts
from benchmarks.load.crowd import a_crowd
from tests.simulation.world import POLICY

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/load.md"
SIZES = (10, 100, 1000, 10_000)
LOOK_MINUTES = 60
SWEEPS = 20
RUNS = 3
"""Of so many the quickest counts: a busy machine makes parts slower, and none faster."""
WEEKS = 4
DAY = timedelta(days=1)

_HEAD = """\
# Load

<!-- Written by: python -m benchmarks.load -->

One process, one core, the embedded store, the real engine; Azure is simulated, so that its answers
take no time. An event is one look that is read, judged, decided and saved on disk. Times are of the
processor on the machine that measured; the ratios are what to compare.

| live rollouts | one event | to 10 rollouts | events a second | one sweep, nothing late |
|---:|---:|---:|---:|---:|
"""

_WHERE = """

## Where the time of an event goes

Shares of one look, and how many bare SQLite transactions it is: the same head row, replaced on disk
in the same run without a line of ours. *Before*, in the same units, every look parsed again the
minutes that the one before it had read, loaded the row once more to decide on it, and waited for
the disk to note which message it had taken.

| part | share before | share now | bare transactions before | now |
|---|---:|---:|---:|---:|
"""
_LATE = """

A part includes what it calls.

## After an hour's outage

All rollouts are late at once, each with its message in the queue; one is on its way back and was
refused by Azure before the outage. The sweep looks at ways back itself, before it sends anything;
alerts and commands are decided within their request and wait for no queue.

| | |
|---|---:|
"""
_MONTH = """

## A month

One rollout after another for four weeks of simulated time, in one process.

| week | rollouts so far | objects that Python holds | to the first week |
|---:|---:|---:|---:|
"""


def main() -> None:
    """Measure all of it; a few minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="live rollouts at most")
    most = parser.parse_args().most
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        rows = list(_events(Path(folder), [size for size in SIZES if size <= most]))
        where = list(_parts(Path(folder)))
        late = list(_outage(Path(folder), most))
        weeks = list(_month(Path(folder)))
    text = _HEAD + "\n".join(rows) + _WHERE + "\n".join(where) + _LATE + "\n".join(late)
    text += _MONTH + "\n".join(weeks) + "\n"
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


def _parts(folder: Path) -> Iterator[str]:
    runs = []
    for number in range(RUNS):
        with a_crowd(folder, 1, name=f"parts-{number}") as crowd:
            runs.append(parts.measured(crowd, LOOK_MINUTES))
    yield from parts.table({name: min(run[name] for run in runs) for name in runs[0]})


def _outage(folder: Path, size: int) -> Iterator[str]:
    with a_crowd(folder, size, name="outage") as crowd:
        event = crowd.look(LOOK_MINUTES)
        found = outage.told(outage.measured(crowd), event)
    yield from (f"| {question} | {answer} |" for question, answer in found.items())


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
