"""What many storms came to, for a terminal and for docs/reference/storms.md."""

from collections import Counter

from tests.simulation.census import UNREACHED
from tests.simulation.many import Result
from tests.simulation.storm import COUNTED, Ended


def told(result: Result) -> str:
    """The red seeds with their shortest histories; then what never occurred."""
    red = "\n\n".join(break_of(one) for one in result.broken[:5])
    names = ", ".join(str(one.storm.seed) for one in result.broken)
    lines = [
        red,
        f"{result.seeds} storms in {result.seconds:.0f} s, {len(result.broken)} broke a promise"
        + (f": seeds {names}" if names else ""),
        *(f"never occurred: {one}" for one in result.never),
    ]
    return "\n".join(line for line in lines if line)


def break_of(ended: Ended) -> str:
    faults = ", ".join(ended.storm.faults) or "no fault at all"
    head = f"seed {ended.storm.seed}: {ended.storm.story}, with {faults}"
    return "\n".join([head, f"  {ended.broken}", *(f"    {line}" for line in ended.history)])


def page(result: Result) -> str:
    """How often each story, fault, phase and transition occurred."""
    census = result.census
    moves = Counter(
        {f"{one.before} → {one.after} on {one.event}": n for one, n in census.moves.items()}
    )
    parts = [
        "# Storms",
        "<!-- written by `make sim` -->",
        (
            "The real engine, machine and judge run in virtual time against a simulated Azure, a"
            " queue, a store, clocks and workers that fail. One seed is one storm: a story and the"
            " faults that strike in it. After every step, every save and every write the promises"
            " are checked. A red seed is run again with ever fewer faults, and its history printed."
        ),
        (
            f"{result.seeds:,} storms of up to ten hours took {result.seconds:.0f} s;"
            f" {len(result.broken)} broke a promise."
        ),
        _table("Stories", "story", census.stories),
        _table(
            "Faults",
            "fault, times it struck",
            Counter({one: census.faults[one] for one in COUNTED}),
        ),
        _table("Phases", "phase entered", census.phases),
        _table("Transitions", "transition", moves),
    ]
    rows = [f"- {phase} on {event}: {why}" for (phase, event), why in UNREACHED.items()]
    parts += ["## Not reached\n\n" + "\n".join(rows)] if rows else []
    return "\n\n".join(parts) + "\n"


def _table(title: str, what: str, counted: Counter[str]) -> str:
    rows = [f"| {name} | {number:,} |" for name, number in sorted(counted.items())]
    return f"## {title}\n\n" + "\n".join([f"| {what} | times |", "|---|---:|", *rows])
