"""What one event may do in one phase: a move and where it may lead; or nothing, and why."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from rollout.core.events import Event
from rollout.core.head import Head
from rollout.core.machine.decision import Decision
from rollout.core.rollout import Phase


@dataclass(frozen=True, slots=True)
class Transition:
    """A move, and the phases it may lead to besides staying; `of_head`: it needs no rollout."""

    move: Callable[..., Decision]
    to: tuple[Phase, ...]
    of_head: bool

    def __call__(self, head: Head, event: Event, now: datetime) -> Decision:
        if self.of_head:
            return self.move(head, event, now)
        assert head.rollout is not None, head.phase
        return self.move(head, head.rollout, event, now)


Answer = Transition | str
"""A transition, or the reason why the event means nothing in that phase."""


def to(move: Callable[..., Decision], *phases: Phase) -> Transition:
    """A move of the rollout that is there."""
    return Transition(move, phases, of_head=False)


def of_head(move: Callable[..., Decision], *phases: Phase) -> Transition:
    """A move of the endpoint's whole row, whether or not there is a rollout in it."""
    return Transition(move, phases, of_head=True)
