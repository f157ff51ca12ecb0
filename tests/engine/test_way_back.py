"""Nothing stands between a decided rollback and its request: each trouble alone, and in pairs."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

import pytest

from rollout.analysis.report import Guard
from rollout.core.events import AbortRequested, PauseRequested
from rollout.core.head import Head, HistoryEntry
from rollout.core.rollout import Outcome, Phase
from rollout.core.traffic import Traffic
from rollout.core.way_back import TAG_MAX, AbortedAtAzure
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.ports import Held, Message, Minutes, Question
from tests.builders import frozen
from tests.fakes import FakeClock, FakeStore
from tests.simulation.world import CHURN, POLICY, World

BLUE = Traffic.all_to("blue")
MINUTE = timedelta(minutes=1)
ABORT = AbortRequested(id="abort", who="anna", why="complaints")
APPROVED = POLICY.replace(
    "  - bake:", "  - approval: {by: [ml-leads], deadline_minutes: 240}\n  - bake:"
).replace("guards:", "guards:\n  - {name: ours, http: 'https://guard.example/', severity: watch}")


FULL = Unavailable("database or disk is full; make room on the disk")
FORBIDDEN = Refused("storage account st, table rollout: 403 AuthorizationPermissionMismatch")


class FullDisk(FakeStore):
    """Takes so many saves more, and then none; what was saved can be read."""

    saves_left: int | None = None
    says: RolloutError = FULL

    def save(self, held: Held, head: Head, entry: HistoryEntry | None = None) -> Held:
        if self.saves_left is not None:
            if not self.saves_left:
                raise self.says
            self.saves_left -= 1
        return super().save(held, head, entry)


@dataclass
class SilentGuard:
    """A guard of one's own that tells nothing: at once, or after a while."""

    clock: FakeClock
    hangs: bool = False

    def missing(self, _guard: Guard) -> str | None:
        return None

    def lag(self, _guard: Guard) -> timedelta:
        return timedelta(0)

    def read(self, guard: Guard, _question: Question) -> Minutes:
        if self.hangs:
            self.clock.time += timedelta(seconds=20)
        raise Unavailable(f"{guard.title} does not answer")


def _metrics_down(world: World) -> None:
    world.azure.faults.metrics_down = 1.0


def _queue_down(world: World) -> None:
    def down(message: Message) -> None:
        raise Unavailable(f"no connection to the namespace: {message.id}")

    world.queue.send = down  # type: ignore[method-assign]


def _approval_pending(world: World) -> None:
    world.run(minutes=60)
    assert world.phase is Phase.APPROVING


def _calendar_frozen(world: World) -> None:
    held = world.store.load(CHURN)
    world.store.save(held, frozen(held.head))


def _policy_broken(world: World) -> None:
    world.policies.text = "stages: [{canary: {wait: 5}}]"


def _policies_away(world: World) -> None:
    def away() -> list[object]:
        raise Unavailable("the container of policies does not answer")

    world.policies.list = away  # type: ignore[assignment,method-assign]


def _store_full_after_the_decision(world: World) -> None:
    assert isinstance(world.store, FullDisk)
    world.store.saves_left = 1


def _store_read_only(world: World, says: RolloutError = FULL) -> None:
    def read_only(*_: object) -> None:
        raise says

    assert isinstance(world.store, FullDisk)
    world.store.saves_left, world.store.says = 0, says
    world.samples.save = read_only  # type: ignore[assignment,method-assign]


def _store_refuses(world: World) -> None:
    _store_read_only(world, FORBIDDEN)


def _guard_hangs(world: World) -> None:
    assert isinstance(world.custom, SilentGuard)
    world.custom.hangs = True


Trouble = Callable[[World], None]
TROUBLES: Mapping[str, Trouble] = {
    "approval pending": _approval_pending,
    "calendar frozen": _calendar_frozen,
    "metrics down": _metrics_down,
    "queue down": _queue_down,
    "policy broken": _policy_broken,
    "policies away": _policies_away,
    "guard hangs": _guard_hangs,
    "store full after the decision": _store_full_after_the_decision,
    "store read-only": _store_read_only,
    "store refuses": _store_refuses,
}
MESSAGES_MAX = 3

SETS = [*combinations(TROUBLES, 1), *combinations(TROUBLES, 2)]


def troubled(names: tuple[str, ...]) -> World:
    world = World(policy=APPROVED, store=FullDisk())
    world.equipped(custom=SilentGuard(world.clock))
    world.start()
    world.run(minutes=12)
    for name in names:
        TROUBLES[name](world)
    return world


@pytest.mark.parametrize("names", SETS, ids=" and ".join)
def test_an_abort_is_sent_within_its_request(names: tuple[str, ...]) -> None:
    world = troubled(names)
    before = len(world.azure.writes)

    decision = world.tell(ABORT)

    assert decision.taken
    assert [(one.traffic, one.at) for one in world.azure.writes[before:]] == [
        (BLUE, world.clock.now())
    ]


@pytest.mark.parametrize("names", SETS, ids=" and ".join)
def test_an_alert_is_sent_within_its_request(names: tuple[str, ...]) -> None:
    world = troubled(names)

    assert world.tell(world.alert()).taken

    assert (world.azure.writes[-1].traffic, world.azure.writes[-1].at) == (BLUE, world.clock.now())


@pytest.mark.parametrize("names", SETS, ids=" and ".join)
def test_while_azure_is_busy_it_is_asked_until_it_takes_it(names: tuple[str, ...]) -> None:
    """Without a queue the sweep asks: once a minute in place of every five seconds."""
    world = troubled(names)
    busy_for = timedelta(minutes=3, seconds=20)  # over between two sweeps
    busy_until = world.clock.now() + busy_for
    world.azure.faults.busy = 1.0

    with suppress(Unavailable):  # neither the store nor Azure takes it: so it is told
        world.tell(ABORT)
    world.at(busy_for / MINUTE, lambda: setattr(world.azure.faults, "busy", 0.0))
    world.run(minutes=6)

    back = world.azure.writes[-1]
    assert (back.traffic, back.expect) == (BLUE, None)
    slow = {"queue down", "store full after the decision"} & set(names)
    patience = timedelta(seconds=65) if slow else timedelta(seconds=5)
    assert back.at - busy_until <= patience


def test_a_bad_canary_is_found_and_rolled_back_without_a_queue() -> None:
    world = troubled(("queue down",))
    world.azure.deployments["green"].error_rate = lambda _: 0.3

    world.run(minutes=30)

    assert world.phase is Phase.ROLLED_BACK
    assert world.azure.traffic == BLUE


# -- a store that takes no more ------------------------------------------------------------------


def read_only(*names: str) -> World:
    return troubled((*names, "store read-only"))


def _writable_again(world: World) -> None:
    assert isinstance(world.store, FullDisk)
    world.store.saves_left = None


def test_an_abort_that_cannot_be_saved_is_kept_at_azure_and_agreed_with_later() -> None:
    world = read_only()
    told = world.tell(ABORT).why

    world.engine = world.new_worker()  # whoever knew it is dead
    nothing_saved = world.phase
    _writable_again(world)
    rollout = world.run(minutes=30)

    assert "the endpoint's tags tell who asked" in told
    assert nothing_saved is Phase.MEASURING
    assert rollout.outcome is Outcome.ABORTED
    assert rollout.rollback
    assert (rollout.rollback.who, rollout.rollback.why) == (
        "anna",
        "aborted at Azure by anna: complaints",
    )
    assert [one.traffic for one in world.azure.writes].count(BLUE) == 2  # after the copies, and now


def test_an_abort_that_could_not_be_saved_is_known_when_it_comes_again() -> None:
    """A repeat an hour later must not end the next rollout."""
    world = troubled(())
    _store_read_only(world)
    world.tell(ABORT)
    world.run(minutes=5)
    _writable_again(world)
    assert world.run(minutes=30).outcome is Outcome.ABORTED
    world.engine.retry(CHURN, "again", "anna", "once more")
    world.run(minutes=10)

    again = world.tell(ABORT)

    assert again.repeated
    assert world.rollout.rollback is None


@pytest.mark.parametrize(
    ("who", "why", "event_id"),
    [
        ("anna", "complaints", "abort"),
        ("anna", "", "abort"),
        ("anna", "it is night", ""),
        ("anna", "", ""),
        ("anna", "x " * 200, "abort"),
    ],
)
def test_a_mark_at_azure_is_read_as_it_was_left(who: str, why: str, event_id: str) -> None:
    left = AbortedAtAzure(rollout_id="churn-1", who=who, why=why, event_id=event_id)

    found = AbortedAtAzure.parse(left.tag)

    assert len(left.tag) <= TAG_MAX
    assert found is not None
    assert (found.rollout_id, found.who, found.event_id) == ("churn-1", who, event_id)
    assert why.startswith(found.why)
    assert bool(found.why) == bool(why)


def test_a_step_that_is_owed_is_not_taken_over_an_abort_that_could_not_be_saved() -> None:
    world = troubled(())
    world.azure.faults.busy = 1.0
    world.run(minutes=30)
    assert any(debt.action.type == "set_traffic" for debt in world.head.owed)
    world.azure.faults.busy = 0.0
    _store_read_only(world)
    before = len(world.azure.writes)

    world.tell(ABORT)
    world.run(minutes=5)
    _writable_again(world)

    assert world.run(minutes=30).outcome is Outcome.ABORTED
    assert {str(one.traffic) for one in world.azure.writes[before:]} == {str(BLUE)}


@pytest.mark.parametrize("says", [FULL, FORBIDDEN], ids=["full", "forbidden"])
def test_a_bad_canary_is_found_and_rolled_back_while_nothing_can_be_saved(
    says: RolloutError,
) -> None:
    world = troubled(())
    world.run(minutes=2)
    assert world.rollout.shares
    _store_read_only(world, says)
    world.azure.deployments["green"].error_rate = lambda _: 0.3

    world.run(minutes=30)
    back, saved = world.azure.traffic, world.phase
    _writable_again(world)
    rollout = world.run(minutes=30)

    assert (back, saved) == (BLUE, Phase.MEASURING)
    assert rollout.outcome is Outcome.ROLLED_BACK
    assert rollout.rollback
    assert rollout.rollback.why.startswith("rolled back at Azure when nothing could be saved: ")


def test_once_the_map_is_back_nothing_more_is_written_however_long_nothing_is_saved() -> None:
    world = read_only()
    world.tell(ABORT)
    world.run(minutes=3)
    before = len(world.azure.writes)

    world.run(minutes=60)

    assert len(world.azure.writes) == before
    assert len(world.queue.rows) < MESSAGES_MAX


@pytest.mark.parametrize("names", [(), ("queue down",)], ids=["by messages", "by the sweep"])
def test_an_abort_that_neither_store_nor_azure_takes_is_tried_until_azure_does(
    names: tuple[str, ...],
) -> None:
    world = read_only(*names)
    world.azure.faults.busy = 1.0
    before = len(world.azure.writes)

    with pytest.raises(Unavailable, match=r"readonly|full.*\. Azure was asked .*409 Conflict"):
        world.tell(ABORT)
    world.at(3, lambda: setattr(world.azure.faults, "busy", 0.0))
    world.run(minutes=6)

    assert {str(one.traffic) for one in world.azure.writes[before:]} == {str(BLUE)}
    assert world.azure.aborted
    assert world.azure.aborted.who == "anna"
    assert world.engine._unsaved.waiting(CHURN) is None


def test_what_is_no_way_back_and_cannot_be_saved_is_not_done() -> None:
    world = read_only()
    before = len(world.azure.writes)

    with pytest.raises(Unavailable, match="full"):
        world.tell(PauseRequested(id="pause", who="anna"))

    assert len(world.azure.writes) == before
    assert world.azure.aborted is None


# -- aborted at Azure, by `rollout abort --direct` -----------------------------------------------


def _abort_at_azure(world: World, traffic: Traffic = BLUE) -> None:
    assert world.azure.way_back is not None
    rollout_id = world.azure.way_back.rollout_id
    world.azure.aborted = AbortedAtAzure(rollout_id=rollout_id, who="anna", why="it is night")
    world.azure.set_by_hand(traffic)


def test_the_first_step_leaves_the_way_back_at_azure() -> None:
    world = troubled(())

    left = world.azure.way_back

    assert left == world.rollout.way_back
    assert left.traffic == BLUE


@pytest.mark.parametrize("rule", ["hold", "adopt", "roll_back"])
def test_the_controller_agrees_with_an_abort_at_azure(rule: str) -> None:
    world = World(policy=f"{POLICY}on_foreign_change: {rule}\n")
    world.start()
    world.run(minutes=12)
    before = len(world.azure.writes)

    _abort_at_azure(world)
    rollout = world.run(minutes=30)

    assert rollout.outcome is Outcome.ABORTED
    assert rollout.rollback
    assert (rollout.rollback.who, rollout.rollback.why) == (
        "anna",
        "aborted at Azure by anna: it is night",
    )
    assert world.azure.writes[before:] == []


def test_the_map_a_person_chose_is_left_alone() -> None:
    world = World()
    world.azure.deployments["red"] = world.azure.deployments["blue"].__class__()
    world.start()
    world.run(minutes=12)
    before = len(world.azure.writes)

    _abort_at_azure(world, Traffic.all_to("red"))

    assert world.run(minutes=30).outcome is Outcome.ABORTED
    assert world.azure.writes[before:] == []


def test_a_step_that_was_owed_when_the_controller_died_is_not_taken_after_the_abort() -> None:
    world = troubled(())
    world.azure.faults.busy = 1.0
    world.run(minutes=30)
    assert any(debt.action.type == "set_traffic" for debt in world.head.owed)
    world.azure.faults.busy = 0.0
    before = len(world.azure.writes)

    _abort_at_azure(world, world.rollout.observed.with_canary("green", "blue", 0))

    assert world.run(minutes=30).outcome is Outcome.ABORTED
    assert [one for one in world.azure.writes[before:] if one.traffic.reaches("green")] == []


def test_what_an_earlier_rollout_left_at_azure_means_nothing_to_the_next() -> None:
    world = troubled(())
    _abort_at_azure(world)
    world.run(minutes=30)

    world.start()

    assert world.run(minutes=5).phase is not Phase.ROLLED_BACK
    assert world.run(minutes=20).canary == "green"
    assert world.azure.aborted is None
