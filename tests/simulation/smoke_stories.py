"""Smoke requests that take longer than a function may run, and a worker that dies among them."""

from collections.abc import Mapping
from datetime import timedelta
from random import Random

from rollout.core.head import Head, HistoryEntry
from tests.simulation.stories import Story, promoted, rolled_back
from tests.simulation.world import World

FUNCTION_MAX = timedelta(minutes=5)
"""So long Azure lets a function run; then it ends the process."""

ANSWER = timedelta(seconds=20)
REQUESTS = [b'{"n": %d}' % number for number in range(24)]
OF_A_PIECE = 2


# -- what happens ------------------------------------------------------------------------------


def _dies_after_an_answer(world: World, dice: Random) -> None:
    """In the middle of a piece, or at its end: what was answered in it is not saved."""
    number = dice.randint(1, len(REQUESTS) - 1)
    _answers_slowly(world)
    world.azure.answered.append(lambda: _dies_if(world, so=len(world.azure.scored) == number))


def _dies_between_two_pieces(world: World, dice: Random) -> None:
    """The piece is saved, and the message that the next one is due is never sent."""
    number, struck = dice.randint(1, len(REQUESTS) - OF_A_PIECE), list[int]()

    def saved(_before: Head, after: Head, _entry: HistoryEntry | None) -> None:
        sent = [debt.smoked.sent for debt in after.owed if debt.smoked]
        if sent and sent[0] >= number and not struck:
            struck.extend(sent)
            _dies_if(world, so=True)

    _answers_slowly(world)
    world.saved.append(saved)


def _answers_slowly(world: World) -> None:
    world.azure.answers_take = ANSWER
    world.policies.smoke = b"".join(b'{"body": %s}\n' % request for request in REQUESTS)
    world.azure.answered.append(
        lambda: _dies_if(world, so=world.clock.now() - world.begun > FUNCTION_MAX)
    )


def _dies_if(world: World, *, so: bool) -> None:
    """At the next call of a port, or at the end of this one."""
    if so:
        world.deaths.at = world.deaths.chances + 1


# -- how it ends -------------------------------------------------------------------------------


def _costs_a_piece(world: World) -> None:
    _is_smoked(world, OF_A_PIECE)


def _costs_nothing(world: World) -> None:
    _is_smoked(world, 0)


def _is_smoked(world: World, again_max: int) -> None:
    """Where nothing else goes wrong, a death costs no more than the piece it came in."""
    struck, scored = +world.chances.struck, world.azure.scored
    if struck["throttled"] and any("smoke requests failed" in why for why in world.told):
        return rolled_back(world)  # too often it gave no answer
    promoted(world)
    assert set(scored) == set(REQUESTS), "P4: not every smoke request was answered"
    if not struck and len(world.deaths.died) == 1:
        again = len(scored) - len(REQUESTS)
        assert again <= again_max, f"{again} smoke requests were sent again"
    return None


SMOKE_STORIES: Mapping[str, Story] = {
    "smoke, cut short": Story(_dies_after_an_answer, _costs_a_piece),
    "smoke, between two": Story(_dies_between_two_pieces, _costs_nothing),
}
