"""Word back to people: after the deed, apart from it, at least once, and given up aloud."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from rollout.core.events import AbortRequested
from rollout.core.head import HistoryEntry
from rollout.core.rollout import Phase
from rollout.core.traffic import Traffic
from rollout.errors import Refused, RolloutError, Unavailable
from tests.builders import MINUTE
from tests.fakes import NOON
from tests.simulation.world import CHURN, POLICY, World

TOLD = f"{POLICY}\nnotify: [{{teams: room, on: [started, stage, rolls_back, ended]}}]\n"
STOP = AbortRequested(id="stop", who="anna", why="complaints")


def topics(world: World) -> list[str]:
    return [letter.topic.value for letter in world.letters]


def test_a_whole_rollout_is_told_in_order_and_once() -> None:
    world = World(policy=TOLD)

    world.start()
    world.run(minutes=300)

    assert world.phase is Phase.PROMOTED
    assert topics(world) == ["started", *["stage"] * 5, "ended"]
    assert world.head.outbox == ()
    assert world.letters[-1].sentence.endswith("green serves 100 % and the rollout is over")


def test_a_rollback_is_asked_for_before_anybody_is_told() -> None:
    world = World(policy=TOLD)
    world.start()
    world.run(minutes=10)
    world.deliver_notices, tried = 0.0, len(world.notice_errands)

    world.tell(STOP)

    assert world.azure.writes[-1].expect is None
    assert len(world.notice_errands) == tried
    assert [one.topic for one in world.head.outbox] == ["rolls_back"]


def test_a_receiver_that_never_answers_delays_nothing_and_is_given_up_aloud() -> None:
    deaf, heard = World(policy=TOLD), World(policy=TOLD)
    deaf.deliver_notices = 0.0
    for world in (deaf, heard):
        world.start()
        world.at(9, lambda world=world: world.tell(STOP))  # type: ignore[misc]

        world.run(minutes=1200)

    assert deaf.azure.traffic == Traffic.all_to("blue")
    backs = [
        next(one.at for one in world.azure.writes if one.expect is None) for world in (deaf, heard)
    ]
    assert backs == [NOON + 9 * MINUTE] * 2
    given_up = [one for one in deaf.store.history(CHURN.key) if one.event == "NoticeGivenUp"]
    assert len(given_up) == len(heard.letters)
    assert "did not reach teams room, asked 12 times: teams room: no answer" in given_up[0].why
    assert (deaf.head.outbox, deaf.head.due_at) == ((), None)


def test_a_notice_whose_message_was_lost_is_sent_after_all() -> None:
    """Nothing else is told later that would bring it along."""
    world = World(policy=f"{POLICY}\nnotify: [{{teams: room, on: [rolls_back]}}]\n")
    world.start()
    world.run(minutes=10)

    world.tell(STOP)
    lost = [row for row in world.queue.rows.values() if row.message.session.endswith(":notices")]
    for row in lost:
        del world.queue.rows[row.sequence]
    world.run(minutes=5)

    assert lost
    assert topics(world) == ["rolls_back"]


def test_a_notice_after_the_end_costs_no_look_at_azure() -> None:
    world = World(policy=TOLD)
    world.start()
    world.run(minutes=300)
    assert world.phase is Phase.PROMOTED
    ended_at = world.rollout.phase_since

    assert world.clock.now() - ended_at > timedelta(minutes=30)
    assert [at for at in world.azure.read_at if at > ended_at] == []


def test_a_last_notice_whose_message_was_lost_is_found_by_the_sweep() -> None:
    """No look comes any more: the row itself is due."""
    world = World(policy=f"{POLICY}\nnotify: [{{teams: room, on: [ended]}}]\n")
    world.deliver_notices = 0.0
    world.start()
    while world.phase is not Phase.PROMOTED:
        world.run(minutes=1)
    world.queue.rows.clear()
    world.deliver_notices = 1.0

    world.run(minutes=5)

    assert topics(world) == ["ended"]
    assert (world.head.outbox, world.head.due_at) == ((), None)


@pytest.mark.parametrize("no", [Refused("403 a role is missing"), Unavailable("it is away")])
def test_a_history_that_cannot_be_read_for_a_while_loses_no_notice(no: RolloutError) -> None:
    """It was taken for a history entry that is not kept any more, and the notice was given up."""
    world = World(policy=TOLD)
    history, ends = world.store.history, NOON + 4 * MINUTE

    def closed(key: str, after: int = 0, limit: int = 1000) -> Sequence[HistoryEntry]:
        if limit == 1 and world.clock.now() < ends:  # so much is read for a letter
            raise no
        return history(key, after, limit)

    vars(world.store)["history"] = closed
    world.start()
    world.run(minutes=3)
    assert world.letters == []
    world.run(minutes=297)

    assert topics(world) == ["started", *["stage"] * 5, "ended"]
    assert world.head.outbox == ()
    assert "NoticeGivenUp" not in [one.event for one in history(CHURN.key)]
