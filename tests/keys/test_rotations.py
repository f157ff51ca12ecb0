"""Who begins rotations: people, calendars, expiries; and what the status tells."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from rollout.arrivals import Arrivals
from rollout.core.rotation.decision import KeyDecision
from rollout.core.rotation.expiry import Expiry
from rollout.core.rotation.state import KeyName, RotationPhase
from rollout.errors import Malformed, PolicyError
from rollout.inbox.key_vault import read_expiry
from rollout.keys.rotations import Wish
from tests.doors.payloads import payload
from tests.simulation.key_world import ROTATION, SECRET, KeyWorld
from tests.simulation.keys import KeyFaults
from tests.simulation.world import CHURN

THREE = datetime(2026, 3, 3, 3, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world() -> KeyWorld:
    """On an endpoint whose keys change every day at three."""
    return KeyWorld(faults=KeyFaults(operation=(1, 1), lands=(0, 0), refused=(0, 0)))


def expiring(version: str = "v1", name: str = SECRET) -> Expiry:
    return Expiry(vault="ops", name=name, version=version)


# -- calendars ---------------------------------------------------------------------------------


def test_a_rotation_begins_at_its_time_and_once(world: KeyWorld) -> None:
    world.clock.time = THREE - MINUTE
    before = world.rotations.tick()
    world.clock.time = THREE + 2 * MINUTE
    begun, again = world.rotations.tick(), world.rotations.tick()
    phase = world.pass_time(60)
    after = world.rotations.tick()

    assert (before, begun, again, after) == (0, 1, 0, 0)
    assert phase is RotationPhase.ROTATED
    assert world.rotation.who == "schedule"


def test_a_time_that_was_missed_by_hours_begins_nothing_and_is_shown(world: KeyWorld) -> None:
    world.clock.time = THREE + MINUTE
    world.rotations.tick()
    world.pass_time(60)
    world.clock.time = THREE + timedelta(days=1, hours=2)

    begun, status = world.rotations.tick(), world.rotations.status(CHURN)

    assert begun == 0
    assert status.overdue == "the rotation of 2026-03-04 03:00 UTC did not start"
    assert status.next_rotation_at == THREE + timedelta(days=2)


def test_two_workers_at_the_same_moment_begin_one(world: KeyWorld) -> None:
    world.clock.time = THREE + MINUTE
    world.rotations.tick()
    first = world.rotation.id
    world.new_worker()

    world.rotations.tick()

    assert world.rotation.id == first


def test_a_rotation_whose_time_comes_during_another_begins_after_it(world: KeyWorld) -> None:
    """The calendar is refused meanwhile, minute after minute, and asks on under its one id."""
    world.clock.time = THREE - MINUTE
    world.rotate()
    first = world.rotation.id
    world.clock.time = THREE
    refused = world.rotations.tick()
    world.pass_time(60)

    begun = world.rotations.tick()

    assert (refused, begun) == (0, 1)
    assert world.head.refused == ()
    assert (world.rotation.id != first, world.rotation.who) == (True, "schedule")


# -- what comes again --------------------------------------------------------------------------


def test_a_refused_abort_that_comes_again_does_not_abort_the_next_rotation(world: KeyWorld) -> None:
    def stop() -> KeyDecision:
        return world.rotations.abort(CHURN, "stop", "ben", "wrong day")

    refused, before = stop(), world.head
    world.rotate()
    again = stop()
    world.new_worker()
    later = stop()

    assert (refused.taken, again.taken, later.taken) == (False, False, False)
    assert again.why.startswith("no keys are being rotated; this was the answer at 12:20:00 UTC")
    assert (before.turn, before.due_at, before.seen, before.entries) == (0, None, (), 0)
    assert world.rotation.phase is not RotationPhase.ABORTED
    assert world.rotations.abort(CHURN, "stop 2", "ben", "wrong day").taken


def test_a_refused_wish_that_comes_again_rotates_nothing(world: KeyWorld) -> None:
    world.rotate("first")
    world.rotate("second")
    world.pass_time(60)
    ended = world.rotation.id

    world.rotate("second")

    assert world.rotation.id == ended
    assert [no.id for no in world.head.refused] == ["second"]


def test_a_refused_resume_that_comes_again_answers_no_later_question(world: KeyWorld) -> None:
    world.rotate()
    refused = world.rotations.resume(CHURN, "go on", "ben", "", None)
    world.keys.faults.refused = (7200, 7200)
    asking = world.pass_time(60)

    again = world.rotations.resume(CHURN, "go on", "ben", "", None)

    assert (refused.taken, again.taken) == (False, False)
    assert asking is world.rotation.phase is RotationPhase.ASKING


# -- expiries ----------------------------------------------------------------------------------


def test_a_secret_that_is_about_to_expire_is_rotated_once(world: KeyWorld) -> None:
    told = world.rotations.on_expiry(expiring())
    world.pass_time(60)
    again = world.rotations.on_expiry(expiring())

    assert told.startswith("key vault rotates the keys")
    assert world.rotation.phase is RotationPhase.ROTATED
    assert again == "version v1 of churn-key is not the current one any more"


def test_an_expired_version_is_rotated_although_its_notice_was_heard(world: KeyWorld) -> None:
    world.rotations.on_expiry(expiring())
    world.rotations.abort(CHURN, "stop", "ben", "not today")

    again = world.rotations.on_expiry(expiring())
    told = world.rotations.on_expiry(expiring().model_copy(update={"expired": True}))

    assert again == "it is decided already"
    assert told == f"key vault rotates the keys: {SECRET} has expired"


def test_a_version_that_lives_shorter_than_the_notice_is_rotated_at_its_end_alone(
    world: KeyWorld,
) -> None:
    """Key Vault tells of it the moment it is written: each rotation would lead to the next."""
    world.policies.rotation = ROTATION.replace(  # type: ignore[attr-defined]
        "expiry_days: 90", "expiry_days: 30"
    )
    world.rotate()
    world.pass_time(60)
    ended, version = world.rotation.id, str(world.rotation.version)

    told = world.rotations.on_expiry(expiring(version))
    kept = world.rotation.id
    world.clock.advance(timedelta(days=30))
    world.rotations.on_expiry(expiring(version).model_copy(update={"expired": True}))

    assert "lives for 30 days at most" in told
    assert kept == ended
    assert world.rotation.id != ended


def test_another_secret_of_the_vault_means_nothing(world: KeyWorld) -> None:
    told = world.rotations.on_expiry(expiring(name="database-password"))

    assert told == "database-password is the key of no endpoint here"
    assert world.head.rotation is None


@pytest.mark.parametrize("schema", ["", "_cloud"])
@pytest.mark.parametrize("name", ["near_expiry", "expired"])
def test_the_event_is_heard_in_both_schemas(world: KeyWorld, name: str, schema: str) -> None:
    keys = world.rotations.on_expiry
    arrivals = Arrivals(world.engine, world.policies, world.queue, world.clock, keys)
    text = json.dumps(payload(f"azure/event_secret_{name}{schema}"))
    body = text.replace("ee059b2bb5bc48398a53b168c6cdcb10", "v1").encode()

    arrivals.hear(body, "m1")
    arrivals.hear(body, "m1")

    assert world.rotation.who == "key vault"
    assert [entry.event for entry in world.store.history(CHURN.key)].count("RotationRequested") == 1


def test_an_event_without_its_parts_is_refused_with_the_place() -> None:
    with pytest.raises(Malformed, match=r"data\.ObjectName"):
        read_expiry({"VaultName": "v"})


# -- people ------------------------------------------------------------------------------------


def test_a_command_goes_as_far_as_it_can_before_it_answers(world: KeyWorld) -> None:
    decision = world.rotations.rotate(CHURN, "one", Wish("anna", "audit"))

    assert decision.why == "anna rotates the keys: audit"
    assert world.rotation.phase is RotationPhase.RENEWING_SPARE
    assert world.keys.regenerated == [KeyName.SECONDARY]


def test_without_a_rotation_policy_nothing_begins(world: KeyWorld) -> None:
    world.policies.rotation = "match: {endpoint: churn}"  # type: ignore[attr-defined]

    with pytest.raises(PolicyError, match="no rotation policy matches it"):
        world.rotations.rotate(CHURN, "one", Wish("anna"))
    assert str(world.rotations.status(CHURN).cannot).startswith("no rotation policy matches it")


def test_an_endpoint_that_is_not_there_says_so_also_without_a_policy(world: KeyWorld) -> None:
    world.policies.rotation = "match: {endpoint: churn}"  # type: ignore[attr-defined]
    nowhere = CHURN.model_copy(update={"name": "nowhere"})

    status = world.rotations.status(nowhere)

    assert (status.mode, status.cannot) == ("", "there is no endpoint w/nowhere")


# -- the status --------------------------------------------------------------------------------


def test_the_status_tells_all_but_the_keys(world: KeyWorld) -> None:
    world.rotate()
    world.pass_time(60)

    status = world.rotations.status(CHURN)

    assert (status.mode, status.policy, status.secret) == ("key", "keys", SECRET)
    assert (status.version, status.in_use) == ("v2", KeyName.SECONDARY)
    assert set(status.renewed) == {KeyName.PRIMARY, KeyName.SECONDARY}
    text = status.model_dump_json() + world.head.model_dump_json()
    assert not [key for key in world.keys.keys.values() if key in text]


def test_an_expired_version_is_overdue(world: KeyWorld) -> None:
    world.rotate()
    world.pass_time(60)
    world.clock.advance(timedelta(days=91))

    assert "the secret's version expired at" in str(world.rotations.status(CHURN).overdue)


@pytest.mark.parametrize(("mode", "told"), [("amltoken", "tokens end"), ("aadtoken", "Entra")])
def test_endpoints_without_keys_say_why(world: KeyWorld, mode: str, told: str) -> None:
    world.keys.mode = mode

    status = world.rotations.status(CHURN)

    assert (status.mode, status.overdue) == (mode, None)
    assert told in str(status.cannot)


def test_where_no_policy_rotates_keys_azure_is_not_asked(world: KeyWorld) -> None:
    some = [one.endpoint for one in world.rotations.rotated()]
    world.policies.rotation = "match: {endpoint: churn}"  # type: ignore[attr-defined]
    world.keys.list = None  # type: ignore[method-assign,assignment]

    assert some == ["w/churn"]
    assert world.rotations.rotated() == ()


def is_regenerating(world: KeyWorld) -> bool:
    return world.head.rotation is not None and world.rotation.regenerating


# -- slow workers ------------------------------------------------------------------------------


def test_a_worker_that_slept_before_it_sent_sends_nothing(world: KeyWorld) -> None:
    """Meanwhile another may have sent it, and clients may have that key."""
    read = world.keys.read
    slept: list[bool] = []

    def sleepy(endpoint: object) -> object:
        if is_regenerating(world) and not slept:
            slept.append(True)
            world.clock.advance(MINUTE)
        return read(CHURN)

    world.keys.read = sleepy  # type: ignore[method-assign,assignment]

    world.rotate()

    assert slept
    assert world.keys.regenerated == []
    assert world.rotation.trouble == "it came too late to be sent"


def test_a_key_that_somebody_regenerated_meanwhile_is_not_regenerated_again(
    world: KeyWorld,
) -> None:
    read = world.keys.read
    changed: list[bool] = []

    def changing(endpoint: object) -> object:
        if is_regenerating(world) and not changed:
            changed.append(True)
            world.keys.change(KeyName.SECONDARY)
        return read(CHURN)

    world.keys.read = changing  # type: ignore[method-assign,assignment]

    world.rotate()

    assert changed
    assert world.keys.regenerated == []
