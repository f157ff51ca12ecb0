"""What many storms came to, for a terminal and for docs/reference/storms.md."""

from collections import Counter

from tests.simulation.census import UNREACHED
from tests.simulation.many import Result
from tests.simulation.storm import COUNTED, Ended

_HOW = """\
- `make sim SEEDS=500` runs them and draws this page; `python -m tests.simulation --from 253
  --seeds 1` runs one again. The tests run some with every change, and with `STORMS=500` also ask
  that every fault, phase and transition below has occurred.
- `python -m tests.simulation --seeds 100000 --ledger FILE --page PAGE` is a long run: stopped at
  any moment it goes on there, and figures of other code do not count.
- `make mutations` plants faults in a copy of the source, one by one, and tells which storm found
  each.
- `tests/simulation/test_every_death.py` leaves nothing to dice: one worker dies at each call of a
  port, and at each line of the engine that runs, of a rollout that is promoted and of one that is
  aborted.

What these storms found, and what became of it:

- A canary was changed under its name while a map was on its way: the trial began anew, and the map
  landed afterwards as if somebody else had set it. Now the first map is asked for until it stays
  (`test_a_canary_changed_while_a_map_is_on_its_way_has_the_first_map_asked_for`).
- The map of before landed minutes after such a canary was back at its first stage, and was taken
  for somebody else's: the canary kept its share until a person came. Now the first map is asked for
  again (`test_a_map_of_before_that_lands_late_is_followed_at_once`).
- An abort that the store did not take was kept in the endpoint's tags, and not by its id: heard
  again an hour later it took the next rollout back. The tag tells the id now
  (`test_an_abort_that_could_not_be_saved_is_known_when_it_comes_again`).
- Such an abort did not withdraw the deletion of the old baseline that was owed already: the traffic
  had nowhere to go back to. Azure is asked before anything is deleted or made smaller now
  (`test_overtaken.py`).
- The table let a newer deployment take over while the old baseline is retired. No event reaches
  that, since what is proven is not superseded; the table does not say so any more.
- A regeneration that an aborted rotation had sent, or that had been sent twice, landed in the next
  rotation, which took it for its own and published a key that its own request then killed. The next
  one waits now until what was sent before can have landed
  (`test_what_an_aborted_rotation_has_sent_is_waited_for_by_the_next`).
- A worker whose clock is behind looks again at once, until the true time has come: in seconds of
  its own calls on Azure, and for ever in a storm whose calls took no time. They take time now."""


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
        _HOW,
        _figures(result),
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


def _figures(result: Result) -> str:
    census = result.census
    each = result.cpu_seconds / max(1, result.seeds)
    faults = sum(census.faults[one] for one in COUNTED)
    red = f": seeds {', '.join(str(one.storm.seed) for one in result.broken)}"
    return (
        f"**{result.seeds:,} storms** of up to ten hours, {sum(census.moves.values()):,}"
        f" transitions, {faults:,} faults that struck: **{len(result.broken)} broke a promise**"
        f"{red if result.broken else ''}. A storm takes {each:.3f} s of one core:"
        f" two cores run {120 / each if each else 0:,.0f} in a minute."
    )


def _table(title: str, what: str, counted: Counter[str]) -> str:
    rows = [f"| {name} | {number:,} |" for name, number in sorted(counted.items())]
    return f"## {title}\n\n" + "\n".join([f"| {what} | times |", "|---|---:|", *rows])
