"""A long run is kept in a file, a line for each batch: stopped at any moment, it goes on there."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.simulation.census import Census, Move
from tests.simulation.many import Result, storms
from tests.simulation.storm import Ended, storm_of

BATCH = 500
ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("rollout", "tests/simulation")


def source() -> str:
    """A short name of the code that storms are run over: figures of other code do not count."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def kept_storms(seeds: Sequence[int], path: Path, workers: int) -> Result:
    """Run what the ledger does not have yet; the sum of what it has then."""
    code = source()
    done = {line["first"] for line in _lines(path, code)}
    for at in range(0, len(seeds), BATCH):
        batch = seeds[at : at + BATCH]
        if batch[0] not in done:
            with path.open("a", encoding="utf-8") as ledger:
                line = json.dumps(_line(code, batch[0], storms(batch, workers)))
                ledger.write(f"\n{line}\n")  # the one before may have been cut off
    return summed(path, code)


def summed(path: Path, code: str) -> Result:
    whole = Result()
    for line in _lines(path, code):
        whole.seeds += line["seeds"]
        whole.seconds += line["seconds"]
        whole.cpu_seconds += line["cpu_seconds"]
        whole.census.add(_census(line))
        whole.broken += [
            Ended(storm_of(seed), Census(), why, tuple(history))
            for seed, why, history in line["broken"]
        ]
    return whole


def _lines(path: Path, code: str) -> Iterator[dict[str, Any]]:
    """A line that was cut off by a death is run again."""
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if line["code"] == code:
            yield line


def _line(code: str, first: int, result: Result) -> dict[str, Any]:
    census = result.census
    return {
        "code": code,
        "first": first,
        "seeds": result.seeds,
        "seconds": round(result.seconds, 1),
        "cpu_seconds": round(result.cpu_seconds, 1),
        "broken": [(one.storm.seed, one.broken, one.history) for one in result.broken],
        "faults": census.faults,
        "phases": census.phases,
        "stories": census.stories,
        "moves": [[*move, times] for move, times in census.moves.items()],
    }


def _census(line: dict[str, Any]) -> Census:
    return Census(
        faults=Counter(line["faults"]),
        phases=Counter(line["phases"]),
        moves=Counter({Move(*one): times for *one, times in line["moves"]}),
        stories=Counter(line["stories"]),
    )
