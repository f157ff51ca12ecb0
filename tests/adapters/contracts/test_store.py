"""What every Store must pass; a new implementation is one line in STORES."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import datetime

import pytest

from rollout import marks
from rollout.adapters.azure.storage.store import TableStore
from rollout.adapters.sqlite.store import SqliteStore
from rollout.core.chain import link
from rollout.core.head import Head
from rollout.core.rollout import Phase, Rollout
from rollout.errors import Conflict, Unknown
from rollout.feed_ports import FedStore
from rollout.ports import Held, Store
from tests.adapters.contracts.rows import (
    HOUR,
    MINUTE,
    a_full_head,
    a_head,
    a_rollout,
    an_endpoint,
    an_entry,
)
from tests.fakes import NOON, FakeStore

STORES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[FedStore]]] = {
    "fake": lambda _: nullcontext(FakeStore()),
    "sqlite": lambda use: closing(SqliteStore(use.getfixturevalue("tmp_path") / "rollout.db")),
    "tables": lambda use: nullcontext(TableStore(use.getfixturevalue("account"))),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with STORES[request.param](request) as opened:
        yield opened


def kept(store: Store, head: Head) -> Held:
    return store.save(store.load(head.endpoint), head)


def test_an_endpoint_never_seen_has_an_empty_head(store: Store) -> None:
    assert store.load(an_endpoint()) == Held(Head(endpoint=an_endpoint()), None)


def test_a_key_never_seen_is_unknown(store: Store) -> None:
    with pytest.raises(Unknown, match=an_endpoint().key):
        store.load_key(an_endpoint().key)


def test_a_saved_head_comes_back_whole(store: Store) -> None:
    held = kept(store, a_full_head())

    assert held.head == a_full_head()
    assert store.load(an_endpoint()) == held
    assert store.load_key(an_endpoint().key) == held


def test_a_mark_is_kept_like_a_row_and_shows_nowhere(store: Store) -> None:
    later = NOON + HOUR
    marks.note(store, marks.SWEEP, NOON, "0 late")
    marks.note(store, marks.ALERT, NOON, "about w/churn")
    marks.note(store, marks.SWEEP, later, "2 late")

    assert marks.recall(store, marks.SWEEP) == marks.Mark(later, "2 late")
    assert marks.recall(store, marks.ALERT) == marks.Mark(NOON, "about w/churn")
    assert marks.recall(store, marks.DOCTOR) is None
    assert [*store.live(10), *store.due(later + HOUR, 10), *store.ended(10)] == []


def test_a_second_first_save_conflicts(store: Store) -> None:
    empty = store.load(an_endpoint())
    store.save(empty, a_head())

    with pytest.raises(Conflict, match=an_endpoint().key):
        store.save(empty, a_head(due_at=NOON))


def test_a_second_save_under_the_same_etag_conflicts_and_changes_nothing(store: Store) -> None:
    held = kept(store, a_head())
    winner = store.save(held, a_head(due_at=NOON), an_entry(1))

    with pytest.raises(Conflict):
        store.save(held, a_head(rollout=a_rollout(Phase.PROMOTED)), an_entry(2))

    assert store.load(an_endpoint()) == winner
    assert store.history(an_endpoint().key) == [an_entry(1)]
    assert store.ended(9) == []


def test_saves_follow_each_other_without_loading(store: Store) -> None:
    held = kept(store, a_head())
    for turn in range(12):
        held = store.save(held, a_head().model_copy(update={"turn": turn}))

    assert store.load(an_endpoint()) == held


def test_an_entry_number_is_used_once(store: Store) -> None:
    held = store.save(store.load(an_endpoint()), a_head(), an_entry(1, "first"))

    with pytest.raises(Conflict):
        store.save(held, a_head(due_at=NOON), an_entry(1, "second"))

    assert store.load(an_endpoint()) == held
    assert store.history(an_endpoint().key) == [an_entry(1, "first")]


@pytest.mark.parametrize("minutes", [1, 3000])
def test_an_entry_keeps_its_hash(minutes: int, store: Store) -> None:
    numbers = {"b": [index / 7 for index in range(minutes)], "a": {"d": None, "c": "é"}}
    entry = an_entry(1).model_copy(update={"numbers": numbers, "previous": "0" * 64})
    store.save(store.load(an_endpoint()), a_head(), entry)

    assert [link(one) for one in store.history(an_endpoint().key)] == [link(entry)]


def test_endpoints_do_not_see_each_other(store: Store) -> None:
    store.save(store.load(an_endpoint("a")), a_head("a"), an_entry(1, "a"))
    store.save(store.load(an_endpoint("b")), a_head("b"), an_entry(1, "b"))

    assert store.load(an_endpoint("a")).head == a_head("a")
    assert store.history(an_endpoint("b").key) == [an_entry(1, "b")]


def test_what_is_due_comes_earliest_first(store: Store) -> None:
    for name, minutes in (("late", 3), ("border", 5), ("early", 1), ("next", 2)):
        kept(store, a_head(name, due_at=NOON + minutes * MINUTE))
    kept(store, a_head("never"))

    def due(limit: int) -> list[str]:
        return [head.endpoint.name for head in store.due(NOON + 5 * MINUTE, limit)]

    assert due(9) == ["early", "next", "late"]
    assert due(2) == ["early", "next"]


def test_a_head_saved_again_is_due_at_its_new_time_only(store: Store) -> None:
    kept(store, a_head(due_at=NOON))
    kept(store, a_head(due_at=NOON + HOUR))

    assert store.due(NOON + MINUTE, 9) == []
    assert store.due(NOON + 2 * HOUR, 9) == [a_head(due_at=NOON + HOUR)]

    kept(store, a_head(due_at=None))
    assert store.due(NOON + 2 * HOUR, 9) == []


def test_ways_back_are_found_among_all_that_is_due(store: Store) -> None:
    for number, (name, phase) in enumerate(
        (("on", Phase.MEASURING), ("late", Phase.ROLLING_BACK), ("over", Phase.ROLLED_BACK))
    ):
        endpoint = an_endpoint(name)
        kept(store, a_head(name, NOON + number * MINUTE, a_rollout(phase, endpoint=endpoint)))
    early = an_endpoint("early")
    held = kept(store, a_head("early", NOON, a_rollout(endpoint=early)))
    store.save(held, a_head("early", NOON, a_rollout(Phase.ROLLING_BACK, endpoint=early)))

    def found(before: datetime, limit: int = 9) -> list[str]:
        return [head.endpoint.name for head in store.going_back(before, limit)]

    assert found(NOON + HOUR) == ["early", "late"]
    assert found(NOON + HOUR, 1) == ["early"]
    assert found(NOON + MINUTE) == ["early"]
    assert found(NOON) == []


def test_a_way_back_that_is_over_is_no_longer_found(store: Store) -> None:
    kept(store, a_head(due_at=NOON, rollout=a_rollout(Phase.ROLLING_BACK)))
    kept(store, a_head(due_at=NOON + HOUR, rollout=a_rollout(Phase.ROLLING_BACK)))
    assert store.going_back(NOON + MINUTE, 9) == []

    kept(store, a_head(due_at=NOON, rollout=a_rollout(Phase.ROLLED_BACK)))

    assert store.going_back(NOON + 2 * HOUR, 9) == []


@pytest.mark.parametrize("phase", Phase)
def test_live_are_those_whose_rollout_goes_on(store: Store, phase: Phase) -> None:
    kept(store, a_head("other"))
    head = a_head(rollout=a_rollout(phase))
    kept(store, head)

    assert store.live(9) == ([head] if head.live else [])


def test_a_rollout_that_ends_is_no_longer_live(store: Store) -> None:
    kept(store, a_head(rollout=a_rollout()))
    kept(store, a_head(rollout=a_rollout(Phase.ROLLED_BACK)))

    assert store.live(9) == []


def test_live_is_limited(store: Store) -> None:
    for name in "abc":
        endpoint = an_endpoint(name)
        kept(store, Head(endpoint=endpoint, rollout=a_rollout(endpoint=endpoint)))

    assert len(store.live(2)) == 2


def test_ended_rollouts_stay_latest_first(store: Store) -> None:
    ended: list[Rollout] = []
    for number, phase in enumerate((Phase.PROMOTED, Phase.ROLLED_BACK, Phase.REFUSED)):
        endpoint = an_endpoint("ab"[number % 2])
        rollout = a_rollout(phase, f"r{number}", endpoint, NOON + number * MINUTE)
        kept(store, Head(endpoint=endpoint, rollout=rollout))
        ended.insert(0, rollout)

    assert store.ended(9) == ended
    assert store.ended(2) == ended[:2]


def test_what_lives_comes_page_by_page_by_its_key(store: Store) -> None:
    for name in ("a", "b", "b-1", "c_d", "E"):
        endpoint = an_endpoint(name)
        kept(store, Head(endpoint=endpoint, rollout=a_rollout(endpoint=endpoint)))

    pages, after = list[list[str]](), ""
    while some := store.live(2, after):
        pages.append([head.endpoint.key for head in some])
        after = pages[-1][-1]

    found = [key for page in pages for key in page]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert found == [head.endpoint.key for head in store.live(9)]
    assert len(set(found)) == 5


def test_ended_rollouts_come_page_by_page_and_each_once(store: Store) -> None:
    """Also those that ended in the same moment: then the highest id is first."""
    for number in range(7):
        endpoint = an_endpoint("abc"[number % 3])
        rollout = a_rollout(Phase.PROMOTED, f"r{number}", endpoint, NOON + number // 3 * MINUTE)
        kept(store, Head(endpoint=endpoint, rollout=rollout))

    found = store.ended(2)
    while some := store.ended(2, (found[-1].phase_since, found[-1].id)):
        found = [*found, *some]

    assert [one.id for one in found] == ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]
    assert store.ended(9, (NOON + MINUTE, "r4")) == found[3:]


def test_a_rollout_that_is_saved_again_as_it_ended_is_told_once(store: Store) -> None:
    ended = a_rollout(Phase.PROMOTED)
    kept(store, a_head(rollout=ended))
    noted = ended.model_copy(update={"managed": True})
    kept(store, a_head(rollout=noted))

    assert store.ended(9) == [noted]


def test_a_rollout_that_ends_again_is_replaced(store: Store) -> None:
    kept(store, a_head(rollout=a_rollout(Phase.PROMOTED)))
    undone = a_rollout(Phase.ROLLED_BACK, since=NOON + HOUR)
    kept(store, a_head(rollout=undone))

    assert store.ended(9) == [undone]


def test_a_rollout_is_found_while_it_lives_and_when_it_is_over(store: Store) -> None:
    key = an_endpoint().key
    first = a_rollout(Phase.PROMOTED, "first")
    kept(store, a_head(rollout=first))
    kept(store, a_head(rollout=a_rollout(name="second")))

    assert store.rollout(key, "first") == first
    assert store.rollout(key, "second") == a_rollout(name="second")
    assert store.rollout(key, "third") is None
    assert store.rollout("nobody", "first") is None


def test_a_rollout_brought_back_to_life_is_the_live_one(store: Store) -> None:
    kept(store, a_head(rollout=a_rollout(Phase.PROMOTED)))
    kept(store, a_head(rollout=a_rollout(Phase.ROLLING_BACK)))

    assert store.rollout(an_endpoint().key, "r1") == a_rollout(Phase.ROLLING_BACK)


def test_history_is_read_in_order_from_any_number(store: Store) -> None:
    held, key = store.load(an_endpoint()), an_endpoint().key
    for number in range(1, 13):
        held = store.save(held, a_head(), an_entry(number))

    def numbers(after: int = 0, limit: int = 1000) -> list[int]:
        return [entry.number for entry in store.history(key, after, limit)]

    assert numbers() == list(range(1, 13))
    assert numbers(after=9) == [10, 11, 12]
    assert numbers(after=2, limit=3) == [3, 4, 5]
    assert numbers(after=12) == []
    assert store.history("nobody") == []


def test_what_people_write_comes_back_letter_for_letter(store: Store) -> None:
    why = "Zurück! \u2028 '; DROP TABLE heads; -- 🙈 \x00 \\"
    store.save(store.load(an_endpoint()), a_head(), an_entry(1, why))

    assert store.history(an_endpoint().key)[0].why == why


def test_a_store_that_misses_nothing_has_nothing_to_repair(store: Store) -> None:
    store.save(store.load(an_endpoint()), a_full_head(), an_entry(2))
    kept(store, a_head("other", due_at=NOON, rollout=a_rollout(Phase.PROMOTED)))

    assert store.repair() == 0


def test_a_large_entry_comes_back_whole(store: Store) -> None:
    numbers = {"findings": [{"metric": "error_rate", "because": "Zürich " * 80}] * 40}
    entry = an_entry(1).model_copy(update={"numbers": numbers})
    store.save(store.load(an_endpoint()), a_head(), entry)

    assert store.history(an_endpoint().key) == [entry]


@pytest.mark.parametrize("name", ["a/b", "a#b?c", "%41", "=41", "A b\x7f", "ü'; drop", "-", "a-b"])
def test_a_name_may_have_any_letters(store: Store, name: str) -> None:
    other = an_endpoint("=2541")
    head = a_head(
        name, due_at=NOON, rollout=a_rollout(name=f"r {name}", endpoint=an_endpoint(name))
    )
    kept(store, head)
    kept(store, Head(endpoint=other))

    assert store.load_key(an_endpoint(name).key).head == head
    assert store.rollout(an_endpoint(name).key, f"r {name}") == head.rollout
    assert store.due(NOON + MINUTE, 9) == [head]
    assert store.live(9) == [head]
