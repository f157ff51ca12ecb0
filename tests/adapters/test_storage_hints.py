"""Hint rows may be false, never missing: whatever comes between their write and the head's."""

import logging
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollout.adapters.azure.storage.account import HINTS, STATE, Account
from rollout.adapters.azure.storage.store import TableStore
from rollout.core.head import Head
from rollout.core.rollout import Phase
from rollout.errors import Conflict, Unavailable
from tests.adapters.contracts.rows import HOUR, MINUTE, a_head, a_rollout, an_endpoint
from tests.azurite.bad_line import BadLine, Fault, Sent
from tests.azurite.running import Azurite
from tests.fakes import NOON, FakeStore

LATER = NOON + 30 * 24 * HOUR


@pytest.fixture
def store(account: Account) -> TableStore:
    return TableStore(account)


def hints(account: Account, kind: str = "") -> list[str]:
    rows = account.table(HINTS).query_entities("PartitionKey eq 'hints'")
    return [row["RowKey"] for row in rows if row["RowKey"].startswith(kind)]


def test_a_head_that_is_due_in_the_same_minute_needs_no_new_hint(
    store: TableStore, account: Account
) -> None:
    held = store.load(an_endpoint())
    for seconds in (1, 20, 59):
        held = store.save(held, a_head(due_at=NOON + timedelta(seconds=seconds)))
    assert len(hints(account)) == 1

    store.save(held, a_head(due_at=NOON + timedelta(seconds=60)))
    assert len(hints(account)) == 2


def test_a_hint_that_became_false_is_removed_by_whoever_finds_it(
    store: TableStore, account: Account
) -> None:
    held = store.load(an_endpoint())
    for hours in range(3):
        head = a_head(due_at=NOON + hours * HOUR, rollout=a_rollout())
        held = store.save(held, head)
    store.save(held, a_head(rollout=a_rollout(Phase.PROMOTED)))
    assert (len(hints(account, "due-")), len(hints(account, "live-"))) == (3, 1)

    assert store.due(NOON + 90 * MINUTE, 9) == []
    assert len(hints(account, "due-")) == 1
    assert (store.due(LATER, 9), store.live(9)) == ([], [])
    assert hints(account, "due-") + hints(account, "live-") == []


def test_a_hint_of_a_writer_that_is_not_done_yet_is_left_alone(
    store: TableStore, account: Account, line: BadLine, watched: TableStore
) -> None:
    """A reader comes between the hint and the head, with the head as it was."""
    held = store.save(store.load(an_endpoint()), a_head(due_at=NOON))
    head = a_head(due_at=NOON + HOUR, rollout=a_rollout())
    read = list[object]()
    between = Fault(_commits, before=lambda: read.extend([store.due(LATER, 9), store.live(9)]))
    line.faults.append(between)

    watched.save(held, head)

    assert read == [[held.head], []]
    assert store.due(LATER, 9) == [head]
    assert store.live(9) == [head]


def _commits(sent: Sent) -> bool:
    return sent.method == "POST" and sent.is_about(STATE) and not sent.is_about(HINTS)


def test_a_writer_that_lost_leaves_a_hint_that_is_removed_later(
    store: TableStore, account: Account
) -> None:
    held = store.save(store.load(an_endpoint()), a_head(due_at=NOON))
    winner = store.save(held, a_head(due_at=NOON + 5 * MINUTE))
    with pytest.raises(Conflict):
        store.save(held, a_head(due_at=NOON + HOUR, rollout=a_rollout()))

    assert store.due(LATER, 9) == [winner.head]
    assert store.live(9) == []
    assert len(hints(account)) == 1


def test_hints_that_somebody_deleted_are_found_missing_and_written_again(
    store: TableStore, account: Account
) -> None:
    ended = [a_rollout(Phase.PROMOTED, "first"), a_rollout(Phase.REFUSED, "second", since=LATER)]
    head = a_head(due_at=NOON, rollout=a_rollout(name="third"))
    held = store.load(an_endpoint())
    for one in (*(a_head(rollout=rollout) for rollout in ended), head):
        held = store.save(held, one)
    other = store.save(store.load(an_endpoint("other")), a_head("other", due_at=NOON + HOUR))
    for name in hints(account):
        account.table(HINTS).delete_entity("hints", name)
    assert (store.due(LATER, 9), store.live(9), store.ended(9)) == ([], [], [])

    assert store.repair() == 5

    assert store.due(LATER, 9) == [head, other.head]
    assert store.live(9) == [head]
    assert store.ended(9) == ended[::-1]
    assert store.repair() == 0


def test_a_rollout_that_ended_twice_is_told_once(store: TableStore, account: Account) -> None:
    held = store.load(an_endpoint())
    for minutes in range(4):
        rollout = a_rollout(Phase.ROLLED_BACK, since=NOON + minutes * MINUTE)
        held = store.save(held, a_head(rollout=rollout))

    assert store.ended(2) == [rollout]
    assert len(hints(account, "ended-")) == 1


def test_a_head_of_a_newer_version_keeps_its_hints(
    store: TableStore, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    head = a_head(due_at=NOON, rollout=a_rollout())
    store.save(store.load(an_endpoint()), head)
    row = account.table(STATE).get_entity(an_endpoint().key, "head")
    account.table(STATE).update_entity({**row, "schema": 2})

    with caplog.at_level(logging.WARNING):
        assert (store.due(LATER, 9), store.live(9), store.repair()) == ([], [], 0)

    assert an_endpoint().key in caplog.text
    assert len(hints(account)) == 2
    with pytest.raises(Unavailable, match=r"schema 2, this one knows 1\); install the newer"):
        store.load(an_endpoint())


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.one_of(st.none(), st.integers(-200, 200)),
        st.booleans(),
        st.integers(-200, 200),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_whatever_the_clock_does_all_that_is_due_is_found(
    storage: Azurite, steps: list[tuple[str, int | None, bool, int, int]]
) -> None:
    """Due times jump to and fro, as after a clock that did; the same as with a sorted list."""
    account = Account.in_azurite(storage.new_account(), "test")
    store, model = TableStore(account), FakeStore()
    for name, due, live, before, limit in steps:
        endpoint = an_endpoint(name)
        due_at = None if due is None else NOON + due * timedelta(seconds=20)
        rollout = a_rollout(endpoint=endpoint) if live else None
        head = Head(endpoint=endpoint, due_at=due_at, rollout=rollout)
        for one in (store, model):
            one.save(one.load(endpoint), head)
        at = NOON + before * timedelta(seconds=20)
        assert store.due(at, limit) == model.due(at, limit)
        assert store.live(limit) == model.live(limit)
    assert store.repair() == 0
    account.close()
