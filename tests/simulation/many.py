"""Many storms on all cores, and one census of them all."""

import gc
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from time import monotonic, process_time

from tests.simulation.census import Census
from tests.simulation.quiet import quiet
from tests.simulation.storm import COUNTED, Ended, shrunk, storm_of, weather

BLOCK = 10
SHRUNK_MAX = 3
"""So many red seeds are made small; the others are named."""

ENOUGH = 500
"""In so many storms all that can occur has to."""


@dataclass
class Result:
    """What many storms came to."""

    seeds: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    census: Census = field(default_factory=Census)
    broken: list[Ended] = field(default_factory=list)

    @property
    def never(self) -> list[str]:
        """What should have occurred in so many storms, and did not."""
        return self.census.never(sorted(COUNTED)) if self.seeds >= ENOUGH else []


def storms(seeds: Sequence[int], workers: int = 2, *, stop: bool = False) -> Result:
    """Run them all; the first that broke are shrunk to the faults they need.

    With `stop` the first that breaks ends it, as it is.
    """
    result, began = Result(), monotonic()
    blocks = [seeds[at : at + BLOCK] for at in range(0, len(seeds), BLOCK)]
    for ended, cpu_seconds in _blocks(blocks, workers, stop=stop):
        result.seeds += BLOCK
        result.cpu_seconds += cpu_seconds
        for one in ended:
            result.census.add(one.census)
            if one.broken:
                result.broken.append(one)
        if stop and result.broken:
            break
    result.seeds = min(result.seeds, len(seeds))
    result.seconds = monotonic() - began
    if not stop:
        result.broken[:SHRUNK_MAX] = [shrunk(one) for one in result.broken[:SHRUNK_MAX]]
    return result


def _blocks(
    blocks: list[Sequence[int]], workers: int, *, stop: bool
) -> Iterator[tuple[list[Ended], float]]:
    work = partial(_block, stop=stop)
    if not workers:
        yield from map(work, blocks)
        return
    with ProcessPoolExecutor(workers) as pool:
        try:
            yield from pool.map(work, blocks)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _block(seeds: Sequence[int], *, stop: bool) -> tuple[list[Ended], float]:
    """What became of them, and how long a core was at it."""
    ended, began = [], process_time()
    gc.disable()  # a storm leaves little behind
    with quiet():
        for seed in seeds:
            ended.append(weather(storm_of(seed)))
            if stop and ended[-1].broken:
                break
    gc.enable()
    return ended, process_time() - began
