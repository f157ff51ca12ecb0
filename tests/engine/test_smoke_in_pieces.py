"""Smoke requests that take longer than a function may run: piece by piece, each one once."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from rollout.core.events import AbortRequested, PauseRequested
from rollout.core.head import Head, HistoryEntry
from rollout.core.rollout import Phase
from rollout.core.smoke import PIECE, Smoked
from rollout.errors import Unavailable
from rollout.views import view
from tests.simulation.world import World

ANSWER = timedelta(seconds=20)
SHORT = """
schema: 1
match: {endpoint: "churn*"}
stages:
  - smoke:  {requests: smoke/churn.jsonl}
  - approval: {by: [lea]}
  - canary: {weight: 25, shortest_minutes: 2, longest_minutes: 60}
"""


def a_file(*numbers: int) -> bytes:
    return b"".join(b'{"body": %d}\n' % number for number in numbers)


def asked(world: World) -> list[int]:
    """The requests that were answered, in order."""
    return [int(body) for body in world.azure.scored]


def a_world(requests: int = 30) -> World:
    """A canary that takes its time for each of so many smoke requests."""
    world = World(policy=SHORT)
    world.policies.smoke = a_file(*range(requests))
    world.azure.answers_take = ANSWER
    world.start()
    return world


def after(world: World, requests: int, do: Callable[[], object]) -> None:
    """When so many of them are known to the row, between two pieces."""
    done: list[Smoked] = []

    def saved(_before: Head, head: Head, _entry: HistoryEntry | None) -> None:
        found = [debt.smoked for debt in head.owed if debt.smoked]
        if found and found[0].sent >= requests and not done:
            done.extend(found)
            do()

    world.saved.append(saved)


def test_ten_minutes_of_smoke_requests_are_sent_once_each_by_functions_of_less_than_one() -> None:
    world = a_world(30)
    lasted: list[timedelta] = []
    world.azure.answered.append(lambda: lasted.append(world.clock.now() - world.begun))

    world.run(minutes=12)

    assert asked(world) == list(range(30))
    assert max(lasted) == PIECE + ANSWER / 2  # two answers begin within it
    assert "all 30 smoke requests were answered as expected" in world.told
    assert world.phase is not Phase.SMOKING


def test_a_person_sees_how_far_they_came() -> None:
    world = a_world(30)
    seen: list[str] = []
    shown = lambda: seen.append(view(world.head, world.rollout, world.clock.now()).waits_for)  # noqa: E731
    after(world, 14, lambda: world.at(0, shown))

    world.run(minutes=12)

    assert seen == ["for the answers of green to smoke requests: 14 of 30 passed"]


@pytest.mark.parametrize("line", [0, 13])
def test_other_requests_than_were_sent_begin_again(line: int) -> None:
    """What was answered to others says nothing of those that stand there now."""
    world = a_world(20)
    new = [99 if number == line else number for number in range(20)]
    after(world, 14, lambda: world.at(0, lambda: push(world, new)))

    world.run(minutes=15)

    assert asked(world) == [*range(14), *new]
    assert "all 20 smoke requests were answered as expected" in world.told


def push(world: World, numbers: list[int]) -> None:
    world.policies.smoke = a_file(*numbers)


def test_a_file_that_grows_behind_them_costs_nothing() -> None:
    world = a_world(16)
    after(world, 14, lambda: world.at(0, lambda: push(world, [*range(14), 40, 41, 42])))

    world.run(minutes=15)

    assert asked(world) == [*range(14), 40, 41, 42]
    assert "all 17 smoke requests were answered as expected" in world.told


def test_a_canary_that_is_changed_among_them_is_asked_anew() -> None:
    world = a_world(12)

    def change() -> None:
        world.azure.deployments["green"].fingerprint = "another model"

    after(world, 6, change)

    world.run(minutes=15)

    assert asked(world) == [*range(6), *range(12)]
    assert any("green was changed under its name" in why for why in world.told)


def test_a_canary_that_is_busy_among_them_is_asked_on_from_there() -> None:
    """In the middle of a piece: what was answered before it in that piece is kept too."""
    world = a_world(12)
    green = world.azure.deployments["green"]

    def busy_from_the_eighth() -> None:
        if len(world.azure.scored) == 8:
            green.smoke_status = 503
            world.at(0.5, lambda: setattr(green, "smoke_status", 200))

    world.azure.answered.append(busy_from_the_eighth)

    world.run(minutes=15)

    answered = asked(world)
    assert answered[:7] == list(range(7))
    assert set(answered[7:-5]) == {7}  # those were the busy ones
    assert answered[-5:] == list(range(7, 12))
    assert "all 12 smoke requests were answered as expected" in world.told


def test_a_file_that_cannot_be_read_for_a_moment_costs_nothing() -> None:
    world = a_world(12)
    down = iter([True])

    def attachment(path: str) -> bytes:
        if bool(world.azure.scored) and next(down, False):
            raise Unavailable(f"503 {path}")
        return world.policies.smoke

    vars(world.policies)["attachment"] = attachment

    world.run(minutes=15)

    assert asked(world) == list(range(12))
    assert next(down, None) is None


def test_failures_of_all_pieces_count_together() -> None:
    world = a_world(30)
    after(world, 4, lambda: setattr(world.azure.deployments["green"], "smoke_status", 500))

    world.run(minutes=15)

    assert asked(world) == list(range(7))
    why = next(why for why in world.told if "failed" in why)
    assert why.startswith(
        "roll back: 3 of 7 smoke requests failed: request 5 of smoke/churn.jsonl: status 500"
    )
    assert why.endswith("; 23 more were not sent")


@pytest.mark.parametrize(
    ("order", "phase"),
    [
        (AbortRequested(id="stop", who="anna", why=""), Phase.ROLLED_BACK),
        (PauseRequested(id="pause", who="anna"), Phase.HOLDING),
    ],
)
def test_a_word_of_a_person_ends_them_at_the_next_answer(
    order: AbortRequested | PauseRequested, phase: Phase
) -> None:
    world = a_world(30)
    world.azure.answered.append(
        lambda: len(world.azure.scored) == 7 and world.tell(order)  # type: ignore[arg-type]
    )

    world.run(minutes=12)

    assert asked(world) == list(range(7))
    assert world.phase is phase
    assert world.head.owed == ()


def test_a_worker_may_die_at_every_call_and_costs_a_piece_at_the_most() -> None:
    whole = a_world(7)
    first = whole.deaths.chances + 1
    whole.run(minutes=3)
    assert (asked(whole), whole.phase) == (list(range(7)), Phase.APPROVING)

    found = []
    for place in range(first, whole.deaths.chances + 1):
        world = a_world(7)
        world.deaths.at = place
        world.run(minutes=9)
        again = len(asked(world)) - 7
        if len(world.deaths.died) != 1 or set(asked(world)) != set(range(7)) or again > 2:
            found.append((place, world.deaths.died, asked(world)))

    assert whole.deaths.chances > 50
    assert not found, found[:3]
