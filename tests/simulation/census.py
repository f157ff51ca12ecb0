"""What occurred in storms: faults, phases, transitions; a run in which one never did is red."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rollout.core.machine.table import TRANSITIONS
from rollout.core.machine.transition import Transition
from rollout.core.rollout import Phase


class Move(NamedTuple):
    """One way from a phase to a phase, and the event that took it."""

    before: str
    event: str
    after: str


UNREACHED: Mapping[tuple[str, str], str] = {}
"""Cells of the machine's table that no storm reaches, each with its reason."""


def cells() -> list[tuple[str, str]]:
    """Every phase and event to which the machine's table knows an answer that moves."""
    return [
        (phase.value, event.__name__)
        for phase, row in TRANSITIONS.items()
        for event, answer in row.items()
        if isinstance(answer, Transition) and answer.to
    ]


@dataclass
class Census:
    """Counts of one storm or of many."""

    faults: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    moves: Counter[Move] = field(default_factory=Counter)
    stories: Counter[str] = field(default_factory=Counter)

    def transition(self, before: Phase, event: str, after: Phase) -> None:
        self.phases[after.value] += 1
        self.moves[Move(before.value, event, after.value)] += 1

    def add(self, other: "Census") -> None:
        self.faults.update(other.faults)
        self.phases.update(other.phases)
        self.moves.update(other.moves)
        self.stories.update(other.stories)

    def never(self, faults: Iterable[str]) -> list[str]:
        """What should have occurred and did not."""
        moved = {(move.before, move.event) for move in self.moves}
        return [
            *(f"fault {name}" for name in faults if not self.faults[name]),
            *(f"phase {name}" for name in Phase if name != "idle" and not self.phases[name]),
            *(
                f"transition from {before} on {event}"
                for before, event in cells()
                if (before, event) not in moved and (before, event) not in UNREACHED
            ),
        ]
