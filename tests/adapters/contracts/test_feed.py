"""What every store must tell of the one order of all entries; a new one is a line in STORES."""

from collections.abc import Iterator, Sequence
from random import Random
from threading import Thread

import pytest

from rollout.core.head import Head
from rollout.errors import Conflict
from rollout.feed_ports import FedStore, Told
from tests.adapters.contracts.rows import a_head, an_endpoint, an_entry
from tests.adapters.contracts.test_store import STORES


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[FedStore]:
    with STORES[request.param](request) as opened:
        yield opened


def at(name: str, entries: int) -> Head:
    return a_head(name).model_copy(update={"entries": entries})


def write(store: FedStore, name: str, number: int) -> None:
    store.save(store.load(an_endpoint(name)), at(name, number), an_entry(number, name))


def names(entries: Sequence[Told]) -> list[tuple[str, int]]:
    return [(one.key.partition("-")[0], one.entry.number) for one in entries]


def all_of(store: FedStore, limit: int, after: int = 0) -> list[Told]:
    """As a client reads: page by page, each from where the last one ended."""
    found: list[Told] = []
    while True:
        page = store.feed(after, limit)
        found += page.entries
        if page.until == after:
            return found
        after = page.until


def test_an_empty_store_has_told_nothing(store: FedStore) -> None:
    assert (list(store.feed(0, 10).entries), store.feed(0, 10).until) == ([], 0)
    assert store.feed(None, 0).until == 0


def test_entries_of_all_endpoints_stand_in_one_order(store: FedStore) -> None:
    for name, number in (("a", 1), ("b", 1), ("a", 2), ("c", 1), ("b", 2)):
        write(store, name, number)
        store.feed(0, 1)

    page = store.feed(0, 10)

    assert names(page.entries) == [("a", 1), ("b", 1), ("a", 2), ("c", 1), ("b", 2)]
    assert [one.sequence for one in page.entries] == [1, 2, 3, 4, 5]
    assert page.until == 5
    assert page.entries[0].entry == an_entry(1, "a")


def test_a_page_ends_where_the_next_one_begins(store: FedStore) -> None:
    for number in range(1, 8):
        write(store, "a", number)

    assert store.feed(0, 3).until == 3
    assert [one.entry.number for one in all_of(store, 3)] == list(range(1, 8))
    assert [one.entry.number for one in all_of(store, 3, 5)] == [6, 7]


def test_one_endpoint_is_read_without_the_others_and_nothing_is_looked_at_twice(
    store: FedStore,
) -> None:
    for number in range(1, 4):
        write(store, "a", number)
        write(store, "b", number)

    page = store.feed(0, 10, an_endpoint("b").key)

    assert names(page.entries) == [("b", 1), ("b", 2), ("b", 3)]
    assert page.until == 6
    assert names(store.feed(0, 2, an_endpoint("b").key).entries) == [("b", 1), ("b", 2)]
    assert store.feed(page.until, 10, an_endpoint("b").key).until == 6


def test_without_a_place_only_the_end_is_told(store: FedStore) -> None:
    for number in range(1, 4):
        write(store, "a", number)

    page = store.feed(None, 10)

    assert (list(page.entries), page.until) == ([], 3)


def test_a_place_beyond_the_end_is_answered_with_the_end(store: FedStore) -> None:
    write(store, "a", 1)

    page = store.feed(99, 10)

    assert (list(page.entries), page.until) == ([], 1)


def test_what_was_not_saved_is_not_told(store: FedStore) -> None:
    before = store.load(an_endpoint("a"))
    write(store, "a", 1)
    with pytest.raises(Conflict):
        store.save(before, at("a", 1), an_entry(1, "late"))
    store.save(store.load(an_endpoint("a")), at("a", 1))  # no entry

    assert [one.entry.why for one in all_of(store, 10)] == ["a"]


def test_many_entries_that_nobody_read_are_all_told(store: FedStore) -> None:
    held = store.load(an_endpoint("a"))
    for number in range(1, 105):
        held = store.save(held, at("a", number), an_entry(number))

    assert [one.entry.number for one in all_of(store, 50)] == list(range(1, 105))


def test_a_repair_finds_nothing_that_was_not_told(store: FedStore) -> None:
    write(store, "a", 1)
    write(store, "b", 1)

    assert store.repair() == 0
    assert len(all_of(store, 10)) == 2
    assert store.repair() == 0


def test_workers_that_write_while_others_read_lose_and_double_nothing(store: FedStore) -> None:
    """Three endpoints, three writers, two readers at once; each reader sees all, in one order."""
    each, seen = 8, list[list[Told]]()

    def work(name: str) -> None:
        held = store.load(an_endpoint(name))
        for number in range(1, each + 1):
            held = store.save(held, at(name, number), an_entry(number, name))

    def read(seed: int) -> None:
        found, after, random = list[Told](), 0, Random(seed)
        while len(found) < 3 * each:
            page = store.feed(after, random.randint(1, 5))
            found += page.entries
            after = page.until
        seen.append(found)

    threads = [Thread(target=work, args=(name,)) for name in "abc"]
    threads += [Thread(target=read, args=(seed,)) for seed in (1, 2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)

    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert [one.sequence for one in seen[0]] == list(range(1, 3 * each + 1))
    for name in "abc":
        own = [one.entry.number for one in seen[0] if one.entry.why == name]
        assert own == list(range(1, each + 1))
