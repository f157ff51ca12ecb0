"""Rollouts are run, pruned and run again on every store: what is left verifies each time."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from rollout.adapters.azure.storage.account import HINTS, Account
from rollout.adapters.azure.storage.archive import TableArchive
from rollout.adapters.azure.storage.samples import BlobSamples
from rollout.adapters.azure.storage.store import TableStore
from rollout.core.chain import examine
from rollout.core.events import AbortRequested
from rollout.core.head import Checkpoint
from rollout.core.rollout import Phase
from rollout.retention import Retention
from tests.adapters.contracts.rows import a_head, an_endpoint, an_entry
from tests.adapters.contracts.test_archive import KEPT, Kept
from tests.azurite.bad_line import BadLine, Sent, bad_line
from tests.azurite.running import Azurite
from tests.simulation.world import CHURN, World

YEAR = timedelta(days=365)


@pytest.fixture(params=KEPT)
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    with ExitStack() as stack:
        yield KEPT[request.param](request, stack)


def test_places_in_the_account_go_with_their_entries(account: Account) -> None:
    """More of them than one transaction takes, and between them those of another endpoint."""
    store, archive, names = TableStore(account), TableArchive(account), ("churn", "fraud")
    held = {name: store.load(an_endpoint(name)) for name in names}
    for number in range(1, 124):
        for name in names:
            written = a_head(name).model_copy(update={"entries": number})
            held[name] = store.save(held[name], written, an_entry(number))
        if number % 60 == 0:
            store.feed(0, 1)
    store.feed(0, 1)
    pruned = Checkpoint(through=121, link="0" * 64)
    store.save(held["churn"], held["churn"].head.model_copy(update={"pruned": pruned}))

    archive.remove(an_endpoint("churn").key, 121, [])

    rows = account.table(HINTS).query_entities("PartitionKey eq 'feed' and RowKey ge 'place-'")
    left = Counter(row["key"].partition("-")[0] for row in rows)
    assert left == {"churn": 2, "fraud": 123}
    assert len(store.feed(0, 500).entries) == 125


def test_a_removal_does_not_read_the_places_of_all_that_came_later(
    storage: Azurite, account: Account, connection: str, line: BadLine
) -> None:
    store = TableStore(account)
    held = store.load(an_endpoint())
    for number in range(1, 9):
        written = a_head().model_copy(update={"entries": number})
        held = store.save(held, written, an_entry(number))
    store.feed(0, 1)
    pruned = Checkpoint(through=3, link="0" * 64)
    store.save(held, held.head.model_copy(update={"pruned": pruned}))
    watched = TableArchive(Account.in_azurite(connection.replace(storage.tables, line.url), "test"))

    removed = watched.remove(an_endpoint().key, 3, [])

    asked = [query(one) for one in line.sent if "place-" in unquote(one.path)]
    assert removed == 3
    assert [one["$top"] for one in asked] == [["4"]]
    assert len(store.feed(0, 500).entries) == 5


def query(sent: Sent) -> dict[str, list[str]]:
    return parse_qs(urlsplit(sent.path).query)


def test_years_of_rollouts_are_pruned_and_each_time_the_rest_verifies(kept: Kept) -> None:
    store, archive = kept
    world = World(store=store)
    retention = Retention(store, archive, world.samples, world.clock, YEAR)
    removed = list[int]()

    for number in range(3):
        world.start()
        world.tell(AbortRequested(id=f"enough {number}", who="anna"))
        assert world.run(minutes=2).phase is Phase.ROLLED_BACK
        world.clock.advance(2 * YEAR)
        removed.append(retention.tick())
        head, entries = world.head, store.history(CHURN.key)
        audit = examine(CHURN.key, head.entries, head.last_link, entries, head.pruned)
        assert (audit.faults, audit.unchained) == ((), 0)
        assert [one.entry for one in store.feed(0, 500).entries] == list(entries)

    assert removed[0] == 0
    assert all(number > 2 for number in removed[1:])
    assert [one.id for one in store.ended(9)] == [world.rollout.id]
    assert retention.tick() == 0


def test_a_night_of_retention_asks_as_often_as_the_storage_page_says(storage: Azurite) -> None:
    with bad_line(storage.tables) as tables, bad_line(storage.blobs) as blobs:
        line = storage.new_account().replace(storage.tables, tables.url)
        account = Account.in_azurite(line.replace(storage.blobs, blobs.url), "retention")
        store, samples = TableStore(account), BlobSamples(account)
        world = World(store=store)
        night = Retention(store, TableArchive(account), samples, world.clock, YEAR)
        samples.forget("nobody", world.clock.now())

        asked = [_a_night_later(world, night, (tables, blobs)) for _ in range(2)]
        account.close()

    end, mark, removal = 1, 3, 1  # the list's end, and the sweep's mark, which is a row as well
    assert asked == [end + mark + 3 + 2, end + mark + 3 + 8 + removal]


def _a_night_later(world: World, night: Retention, lines: Sequence[BadLine]) -> int:
    """A rollout, two years, and how many requests the night after them takes."""
    world.start()
    world.tell(AbortRequested(id=f"enough {world.clock.now()}", who="anna"))
    assert world.run(minutes=2).phase is Phase.ROLLED_BACK
    world.clock.advance(2 * YEAR)
    for line in lines:
        line.sent.clear()
    night.tick()
    return sum(len(line.sent) for line in lines)
