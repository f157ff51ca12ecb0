"""Word back of rotations: through the same outbox, once, and never in the way of a key."""

from datetime import UTC, datetime, timedelta

import pytest

from rollout.core.letter import Letter
from rollout.core.rotation.letter import KeyLetter
from rollout.core.rotation.state import KeyName, RotationPhase
from tests.simulation.key_world import ROTATION, SALT, SECRET, KeyWorld
from tests.simulation.keys import KeyFaults
from tests.simulation.world import CHURN

TOLD = f"{ROTATION}  notify: [{{teams: room}}]\n"
THREE = datetime(2026, 3, 3, 3, tzinfo=UTC)


@pytest.fixture
def world() -> KeyWorld:
    world = KeyWorld(faults=KeyFaults(operation=(1, 1), lands=(0, 0), refused=(0, 0)))
    world.policies.rotation = TOLD  # type: ignore[attr-defined]
    return world


def pass_minutes(world: KeyWorld, minutes: int) -> None:
    for _ in range(minutes):
        world.clock.advance(timedelta(minutes=1))
        world._deliver()
        world.engine.sweep()
        world._deliver()


def topics(world: KeyWorld) -> list[str]:
    return [letter.topic.value for letter in world.letters]


def test_the_end_of_a_rotation_is_told_once_with_no_key_in_it(world: KeyWorld) -> None:
    before = dict(world.keys.keys)
    world.rotate()
    world.pass_time(60)
    pass_minutes(world, 1)

    assert topics(world) == ["ended"]
    letter = world.letters[0]
    assert isinstance(letter, KeyLetter)
    assert letter.title == "w/churn: its keys are rotated"
    assert letter.rotation_id == world.rotation.id
    text = letter.model_dump_json() + letter.title
    keys = [*before.values(), *world.keys.keys.values(), SALT.get_secret_value()]
    assert not [key for key in keys if key in text]
    assert world.head.outbox == ()


def test_a_question_is_told_with_the_command_that_answers_it(world: KeyWorld) -> None:
    assert world.secrets is not None
    world.secrets.publish(SECRET, SALT, None, {})

    world.rotate()
    pass_minutes(world, 1)

    assert world.rotation.phase is RotationPhase.ASKING
    assert topics(world) == ["asks"]
    assert world.letters[0].command == ("rollout keys resume w/churn --in-use primary|secondary")


def test_a_notice_is_sent_at_once_by_a_message_of_its_own(world: KeyWorld) -> None:
    assert world.secrets is not None
    world.secrets.publish(SECRET, SALT, None, {})

    world.rotate()
    world._deliver()

    assert topics(world) == ["asks"]


def test_a_receiver_that_never_answers_delays_no_key(world: KeyWorld) -> None:
    world.policies.rotation = TOLD.replace(  # type: ignore[attr-defined]
        "{teams: room}", "{teams: room, on: [started, ended]}"
    )
    world.deliver_notices = 0.0
    begun = world.clock.now()

    world.rotate()
    phase = world.pass_time(60)

    assert phase is RotationPhase.ROTATED
    assert world.clock.now() - begun < timedelta(minutes=15)
    assert world.refused == []
    assert [str(one.topic) for one in world.head.outbox] == ["started", "ended"]
    pass_minutes(world, 200)
    given_up = [one for one in world.store.history(CHURN.key) if one.event == "NoticeGivenUp"]
    assert [one.rotation_id for one in given_up] == [world.rotation.id] * 2
    assert (world.head.outbox, world.head.due_at) == ((), None)


def test_a_notice_whose_message_was_lost_is_found_by_the_sweep(world: KeyWorld) -> None:
    world.deliver_notices = 0.0
    world.rotate()
    world.pass_time(60)
    world.queue.rows.clear()
    world.deliver_notices = 1.0

    pass_minutes(world, 5)

    assert topics(world) == ["ended"]


def test_what_is_overdue_is_told_once_however_often_the_clock_ticks(world: KeyWorld) -> None:
    world.clock.time = THREE + timedelta(minutes=1)
    world.rotations.tick()
    world.pass_time(60)
    pass_minutes(world, 1)
    world.letters.clear()
    world.clock.time = THREE + timedelta(days=1, hours=2)

    for _ in range(12):
        world.rotations.tick()
        pass_minutes(world, 30)

    assert [_told(one) for one in world.letters] == [
        ("overdue", "the rotation of 2026-03-04 03:00 UTC did not start")
    ]
    assert world.letters[0].command == "rollout keys rotate w/churn"


def test_a_version_that_expired_is_told_where_nothing_was_ever_rotated(world: KeyWorld) -> None:
    assert world.secrets is not None
    ends = world.clock.now() + timedelta(hours=1)
    key = world.keys.keys[KeyName.PRIMARY]
    world.secrets.publish(SECRET, type(SALT)(key), ends, {})
    world.clock.time = ends + timedelta(minutes=1)

    world.rotations.tick()
    pass_minutes(world, 1)

    assert world.head.rotation is None
    assert [one.topic.value for one in world.letters] == ["overdue"]
    assert "the secret's version expired at" in world.letters[0].sentence


def test_who_does_not_want_to_hear_of_it_costs_no_look_at_azure(world: KeyWorld) -> None:
    world.policies.rotation = TOLD.replace(  # type: ignore[attr-defined]
        "{teams: room}", "{teams: room, on: [ended]}"
    )
    world.clock.time = THREE + timedelta(hours=2)
    world.keys.list = None  # type: ignore[method-assign,assignment]

    assert world.rotations.tick() == 0


def test_it_is_looked_for_once_an_hour(world: KeyWorld) -> None:
    looks: list[datetime] = []
    listing = world.keys.list

    def counting(*about: object) -> object:
        looks.append(world.clock.now())
        return listing(*about)  # type: ignore[arg-type]

    world.keys.list = counting  # type: ignore[method-assign,assignment]
    world.clock.time = THREE + timedelta(hours=2)
    for _ in range(180):
        world.rotations.tick()
        world.clock.advance(timedelta(minutes=1))

    assert len(looks) == 3


def _told(letter: Letter) -> tuple[str, str]:
    return letter.topic.value, letter.sentence
