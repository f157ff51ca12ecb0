"""Retention over a store: what is old goes, what lives is left alone, nothing is half done."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from rollout.core.chain import examine
from rollout.core.events import PauseRequested
from rollout.core.rollout import Phase
from rollout.errors import Conflict, Unavailable
from rollout.retention import Retention
from tests.fakes import NOON, FakeArchive
from tests.simulation.world import CHURN, World

YEAR = timedelta(days=365)
WHO = "anna"


@dataclass
class Graveyard:
    """The port Graves: when each of its dead letters died."""

    died: list[datetime]
    down: bool = False

    def forget_dead_letters(self, before: datetime, *, dry: bool = False) -> int:
        if self.down:
            raise Unavailable("another process holds it")
        old = [at for at in self.died if at < before]
        if not dry:
            self.died = [at for at in self.died if at >= before]
        return len(old)


class Kept(World):
    """A world with a past: three rollouts, and retention beside it."""

    def __init__(self, keep: timedelta | None = YEAR) -> None:
        super().__init__()
        self.archive = FakeArchive(self.store)
        self.retention = Retention(self.store, self.archive, self.samples, self.clock, keep)
        for canary in ("green", "blue", "green"):
            self.start(canary)
            self.run(minutes=200)
            self.clock.advance(timedelta(days=1))

    @property
    def numbers(self) -> list[int]:
        return [entry.number for entry in self.store.history(CHURN.key)]

    @property
    def faults(self) -> tuple[str, ...]:
        head, entries = self.head, self.store.history(CHURN.key)
        return examine(CHURN.key, head.entries, head.last_link, entries, head.pruned).faults


def test_what_is_older_than_kept_is_removed_and_the_rest_verifies() -> None:
    world = Kept()
    written, last = world.head.entries, world.rollout.id
    world.clock.advance(2 * YEAR)

    removed = world.retention.tick()

    assert removed > 10
    assert world.head.pruned
    assert world.numbers == list(range(world.head.pruned.through + 1, written + 2))
    assert {one.rollout_id for one in world.store.history(CHURN.key)} == {last, None}
    assert [one.id for one in world.store.ended(9)] == [last]
    assert world.faults == ()
    assert world.retention.tick() == 0


def test_after_a_removal_rollouts_go_on_as_before() -> None:
    world = Kept()
    world.clock.advance(2 * YEAR)
    world.retention.tick()

    world.start("blue")
    rollout = world.run(minutes=200)

    assert rollout.phase is Phase.PROMOTED
    assert world.faults == ()


def test_what_is_younger_stays() -> None:
    world = Kept()
    before = world.numbers

    assert world.retention.tick() == 0
    assert (world.numbers, world.head.pruned) == (before, None)


def test_dead_letters_go_with_what_is_as_old_and_a_page_tells_how_many() -> None:
    world = Kept()
    graves = Graveyard([NOON, world.clock.now()])
    retention = replace(world.retention, graves=graves)
    world.clock.advance(YEAR)
    before = world.clock.now() - timedelta(hours=1) - YEAR

    dry = retention.page(before, "", WHO, dry=True).dead_letters
    later_page = retention.page(before, "zzz", WHO, dry=False).dead_letters
    kept = len(graves.died)
    done = retention.page(before, "", WHO, dry=False).dead_letters

    assert (dry, later_page, kept, done) == (1, 0, 2, 1)
    world.clock.advance(timedelta(hours=1))
    assert retention.tick() >= 1
    assert graves.died == []


def test_dead_letters_stay_without_the_setting_and_while_the_queue_is_down() -> None:
    world = Kept()
    graves = Graveyard([NOON])
    world.clock.advance(2 * YEAR)

    replace(world.retention, graves=graves, keep=None).tick()
    graves.down = True
    replace(world.retention, graves=graves).tick()

    assert graves.died == [NOON]


def test_without_the_setting_only_minutes_of_more_than_thirty_days_go() -> None:
    world = Kept(keep=None)
    before = world.numbers
    world.clock.advance(2 * YEAR)
    assert any(world.samples.minutes.values())

    world.retention.tick()

    assert world.numbers == before
    assert not any(world.samples.minutes.values())


def test_where_a_rollout_lives_nothing_is_touched() -> None:
    world = Kept()
    world.start("blue")
    world.run(minutes=8)
    world.tell(PauseRequested(id="p", who=WHO))
    world.clock.advance(2 * YEAR)
    before, minutes = world.head, {**world.samples.minutes}

    page = world.retention.page(world.clock.now(), "", WHO, dry=False)

    assert world.retention.tick() == 0
    assert world.head == before
    assert world.samples.minutes == minutes
    assert (page.pruned, page.kept) == ((), ("w/churn: something lives on it",))


def test_a_dry_run_tells_what_a_real_one_removes_and_changes_nothing() -> None:
    world = Kept()
    world.clock.advance(2 * YEAR)
    before, head = world.clock.now() - YEAR, world.head

    told = world.retention.page(before, "", WHO, dry=True)
    assert (world.head, told.next) == (head, None)
    done = world.retention.page(before, "", WHO, dry=False)

    assert told.pruned == done.pruned
    assert done.pruned[0].entries == done.pruned[0].through > 10
    assert len(done.pruned[0].rollouts) == 2
    assert world.store.history(CHURN.key)[-1].who == WHO


def test_a_removal_that_breaks_off_is_finished_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Kept()
    world.clock.advance(2 * YEAR)

    def breaks(*_: object) -> int:
        raise Unavailable("the store is gone")

    with monkeypatch.context() as patch:
        patch.setattr(world.archive, "remove", breaks)
        assert world.retention.tick() == 0
    assert world.head.pruned
    assert world.numbers[0] == 1
    assert world.faults == ()

    world.retention.tick()

    assert world.numbers[0] == world.head.pruned.through + 1
    assert [one.id for one in world.store.ended(9)] == [world.rollout.id]
    assert world.faults == ()


def test_entries_that_a_removal_left_behind_go_with_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Kept()
    world.clock.advance(2 * YEAR)
    remove = world.archive.remove
    with monkeypatch.context() as patch:
        patch.setattr(world.archive, "remove", lambda key, _, rollouts: remove(key, 0, rollouts))
        world.retention.tick()
    assert world.head.pruned
    assert world.numbers[0] == 1

    world.retention.tick()

    assert world.numbers[0] == world.head.pruned.through + 1


def test_a_worker_that_decides_meanwhile_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Kept()
    world.clock.advance(2 * YEAR)
    entries = world.numbers

    def faster(*_: object) -> None:
        raise Conflict("another worker wrote first")

    monkeypatch.setattr(world.store, "save", faster)
    page = world.retention.page(world.clock.now(), "", WHO, dry=False)

    assert world.retention.tick() == 0
    assert world.numbers == entries
    assert "decided on it just now" in page.kept[0]
    assert world.clock.now() > NOON
