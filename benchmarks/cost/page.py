"""The page of the reference that tells what rollouts cost."""

from collections import Counter
from collections.abc import Iterator
from functools import cache, partial

from benchmarks.cost.bill import month, prices, told
from benchmarks.cost.counted import (
    IDLE_MINUTES,
    OPERATION_SECONDS,
    SLOW_SECONDS,
    Cost,
    CountedWorld,
    MakeWorld,
    idle,
    rollout,
)
from benchmarks.cost.on_azurite import found

GOAL = 12
"""So many executions beyond one for each minute of analysis."""
SEEDS = range(1, 6)
MONTHS = (10, 1_000, 10_000)
BAD = 0.05
KINDS = ("execution", "queue", "table", "blob", "ARM", "metrics")
NAMED = {"execution": "executions", "queue": "queue", "table": "tables", "blob": "blobs"}
SLOW = f"fixed, operations of {SLOW_SECONDS} s"
ALIVE = {"fixed": None, "adaptive": None, "fixed, rolled back": BAD, SLOW: None}


@cache
def measured() -> dict[str, list[Cost]]:
    """Several rollouts of each kind; the same whenever they are run."""
    return {
        name: [rollout(name.split(",")[0], seed, errors, _world_of(name)) for seed in SEEDS]
        for name, errors in ALIVE.items()
    }


def _world_of(name: str) -> MakeWorld:
    seconds = SLOW_SECONDS if name == SLOW else OPERATION_SECONDS
    return partial(CountedWorld, operation_seconds=seconds)


@cache
def idle_hour() -> Counter[str]:
    return idle()


def page() -> str:
    """Drawn anew by `python -m benchmarks.cost`."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# What it costs\n"
    yield "This page is drawn by `python -m benchmarks.cost`.\n"
    yield (
        "Counted on the real engine in virtual time: smoke requests, a mirror, three weights, and"
        f" a bake of half an hour, {len(SEEDS)} rollouts of each kind, the mean (and the most)."
        f" A change of the endpoint lasts {OPERATION_SECONDS} s in each of them, as long as"
        " creating an endpoint was recorded to take; one that a look finds still running costs"
        " another look, so the last row tells of slow ones."
        " How many operations one call of a port is stands in `benchmarks/cost/operations.py`.\n"
    )
    yield "## One rollout\n"
    yield (
        "| pace | minutes | of analysis | beyond one each | "
        + " | ".join(NAMED.get(kind, f"{kind} calls") for kind in KINDS)
        + " |"
    )
    yield "|---" * (4 + len(KINDS)) + "|"
    for name, costs in measured().items():
        yield _row(name, costs)
    yield (
        "\nAn execution is one run of a function: the request that starts, then a step for each"
        " look. The goal is at most one for each minute of analysis and"
        f" {GOAL} beyond, for what is promoted; a way back is looked at every five seconds until"
        " it is seen, and is watched for ten minutes more.\n"
    )
    yield "## How true the count is\n"
    yield from _checked()
    yield "## While nothing is rolled out\n"
    swept = idle_hour()
    tables = swept["sweep table"] / swept["sweep execution"]
    yield (
        f"One execution a minute: the sweep, with {tables:.2g} operations on tables; nothing else"
        f" ({IDLE_MINUTES} minutes were counted).\n"
    )
    yield "## A month\n"
    each = _mean(measured()["fixed"])
    bills = {0: month(each, swept, 0), **{many: month(each, swept, many) for many in MONTHS}}
    yield "| rollouts a month | " + " | ".join(bills[0]) + " | US dollars in all | for each |"
    yield "|---" * (3 + len(bills[0])) + "|"
    for many, bill in bills.items():
        whole = sum(bill.values())
        cells = " | ".join(f"{part:.2f}" for part in bill.values())
        yield f"| {many:,} | {cells} | {whole:.2f} | {f'{whole / many:.4f}' if many else ''} |"
    yield (
        "\nEvery execution is billed as the least that is billed, a second of a whole instance, as"
        " if no two of them shared one. Not in it: telemetry, always-ready instances, and the"
        " endpoint itself.\n"
    )
    yield f"## The prices\n\nRead on {prices()['read_on']}; a price nobody could read is marked.\n"
    yield "| price | US dollars, or amount | from |\n|---|---|---|"
    for name, value, source in told():
        yield f"| `{name}` | {_plain(value)} | {source} |"


def _checked() -> Iterator[str]:
    yield (
        "The same engine on Microsoft's clients before Azurite, every request counted on the line:"
        " the first rollout of a kind as it is counted above, and as it was measured. Sweeps"
        " remove the hints that a rollout leaves behind; that is part of the rollout.\n"
    )
    yield "| rollout | tables, counted | measured | blobs, counted | measured |"
    yield "|---|---|---|---|---|"
    for kind, one in found().items():
        cells = (f"{one.mapped[part]} | {one.asked[part]}" for part in one.mapped)
        yield f"| {kind} | {' | '.join(cells)} |"
    yield (
        "\nNot equal, because what a process knows already differs: the first write of an hour"
        " reads it first, and minutes that tell nothing new are not written.\n"
    )


def _row(name: str, costs: list[Cost]) -> str:
    count, mean = len(costs), _mean(costs)
    beyond = [one.beyond_analysis for one in costs]
    minutes = sum(one.minutes for one in costs) / count
    analysis = sum(one.analysis_minutes for one in costs) / count
    cells = " | ".join(f"{mean[kind]}" for kind in KINDS)
    over = f"{sum(beyond) / count:.1f} ({max(beyond):.0f})"
    return f"| {name} | {minutes:.0f} | {analysis:.0f} | {over} | {cells} |"


def _mean(costs: list[Cost]) -> Counter[str]:
    whole: Counter[str] = Counter()
    for one in costs:
        whole.update(one.counts)
    return Counter({kind: round(count / len(costs)) for kind, count in whole.items()})


def _plain(value: float) -> str:
    return f"{value:,}" if value >= 1 else f"{value:f}".rstrip("0").rstrip(".")
