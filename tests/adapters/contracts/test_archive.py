"""What every Archive must pass beside its Store; a new implementation is one line in KEPT."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from rollout.adapters.azure.storage.archive import TableArchive
from rollout.adapters.azure.storage.store import TableStore
from rollout.adapters.sqlite.archive import SqliteArchive
from rollout.adapters.sqlite.store import SqliteStore
from rollout.core.head import Checkpoint, HistoryEntry
from rollout.core.rollout import Phase
from rollout.errors import Refused, Unavailable
from rollout.feed_ports import FedStore
from rollout.kept_ports import Archive
from rollout.ports import Store
from tests.adapters.contracts.rows import MINUTE, a_head, a_rollout, an_endpoint, an_entry
from tests.fakes import NOON, FakeArchive, FakeStore

KEY = an_endpoint().key
Kept = tuple[FedStore, Archive]


def _fake(_use: pytest.FixtureRequest, _stack: ExitStack) -> Kept:
    store = FakeStore()
    return store, FakeArchive(store)


def _sqlite(use: pytest.FixtureRequest, stack: ExitStack) -> Kept:
    path = use.getfixturevalue("tmp_path") / "rollout.db"
    store = stack.enter_context(closing(SqliteStore(path)))
    return store, stack.enter_context(closing(SqliteArchive(path)))


def _tables(use: pytest.FixtureRequest, _stack: ExitStack) -> Kept:
    account = use.getfixturevalue("account")
    return TableStore(account), TableArchive(account)


KEPT: dict[str, Callable[[pytest.FixtureRequest, ExitStack], Kept]] = {
    "fake": _fake,
    "sqlite": _sqlite,
    "tables": _tables,
}


@pytest.fixture(params=KEPT)
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    with ExitStack() as stack:
        yield KEPT[request.param](request, stack)


def large(number: int) -> HistoryEntry:
    """One whose numbers are kept apart in the storage account."""
    numbers = {"findings": [{"because": f"{number} Zürich " * 80}] * 40}
    return an_entry(number).model_copy(update={"numbers": numbers})


def written(store: Store, entries: int, through: int) -> None:
    """So many entries, three finished rollouts, and a checkpoint."""
    held = store.load(an_endpoint())
    for number in range(1, entries + 1):
        phase = Phase.PROMOTED if number <= 3 else Phase.ROLLED_BACK
        rollout = a_rollout(phase, f"r{min(number, 3)}", since=NOON + number * MINUTE)
        held = store.save(held, a_head(rollout=rollout), large(number))
    pruned = Checkpoint(through=through, link="0" * 64) if through else None
    store.save(held, held.head.model_copy(update={"pruned": pruned}))


def test_keys_come_in_pages_and_each_once(kept: Kept) -> None:
    store, archive = kept
    names = ["a", "b/c", "d=e", "f"]
    for name in names:
        store.save(store.load(an_endpoint(name)), a_head(name))

    first = archive.keys("", 3)
    rest = archive.keys(first[-1], 3)

    assert sorted([*first, *rest]) == sorted(an_endpoint(name).key for name in names)
    assert archive.keys(rest[-1], 3) == []


def test_finished_rollouts_are_those_of_one_endpoint(kept: Kept) -> None:
    store, archive = kept
    written(store, 3, 0)
    store.save(store.load(an_endpoint("other")), a_head("other"))

    assert {one.id for one in archive.ended_of(KEY)} == {"r1", "r2", "r3"}
    assert list(archive.ended_of(an_endpoint("other").key)) == []


def test_what_is_behind_the_checkpoint_is_removed_and_the_rest_stays_whole(kept: Kept) -> None:
    store, archive = kept
    written(store, 5, 3)

    removed = archive.remove(KEY, 3, ["r1", "r2"])

    assert removed == 5
    assert store.history(KEY) == [large(4), large(5)]
    assert [one.id for one in archive.ended_of(KEY)] == ["r3"]
    assert [one.id for one in store.ended(9)] == ["r3"]
    assert store.rollout(KEY, "r1") is None
    assert store.repair() == 0


def test_a_reader_of_the_stream_goes_on_where_it_was_though_entries_are_gone(kept: Kept) -> None:
    store, archive = kept
    written(store, 5, 3)
    store.save(store.load(an_endpoint("other")), a_head("other"), an_entry(1))
    before = store.feed(0, 50)

    archive.remove(KEY, 3, [])
    rest = store.feed(0, 50)

    assert rest.until == before.until
    assert list(rest.entries) == [
        one for one in before.entries if one.key != KEY or one.entry.number > 3
    ]


def test_a_removal_that_broke_off_is_repeated(kept: Kept) -> None:
    store, archive = kept
    written(store, 5, 3)
    archive.remove(KEY, 2, ["r1"])

    assert archive.remove(KEY, 3, ["r1", "r2"]) == 2
    assert archive.remove(KEY, 3, ["r1", "r2"]) == 0
    assert [entry.number for entry in store.history(KEY)] == [4, 5]


@pytest.mark.parametrize("through", [0, 3])
def test_what_is_behind_no_checkpoint_is_not_removed(through: int, kept: Kept) -> None:
    store, archive = kept
    written(store, 5, through)

    with pytest.raises((Refused, Unavailable), match="behind its checkpoint"):
        archive.remove(KEY, 4, [])

    assert len(store.history(KEY)) == 5


def test_more_rows_than_one_transaction_takes_are_removed(kept: Kept) -> None:
    store, archive = kept
    held = store.load(an_endpoint())
    for number in range(1, 124):
        held = store.save(held, a_head(), an_entry(number))
    pruned = Checkpoint(through=121, link="0" * 64)
    store.save(held, held.head.model_copy(update={"pruned": pruned}))

    assert archive.remove(KEY, 121, []) == 121
    assert [entry.number for entry in store.history(KEY)] == [122, 123]


def test_numbers_that_another_entry_shares_stay(kept: Kept) -> None:
    store, archive = kept
    same = {**large(1).numbers}
    held = store.load(an_endpoint())
    for number in (1, 2):
        entry = an_entry(number).model_copy(update={"numbers": same})
        held = store.save(held, a_head(), entry)
    pruned = Checkpoint(through=1, link="0" * 64)
    store.save(held, held.head.model_copy(update={"pruned": pruned}))

    archive.remove(KEY, 1, [])

    (left,) = store.history(KEY)
    assert left.numbers == same
