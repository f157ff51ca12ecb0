"""Rollouts are run, pruned and run again on every store: what is left verifies each time."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from rollout.core.chain import examine
from rollout.core.events import AbortRequested
from rollout.core.rollout import Phase
from rollout.retention import Retention
from tests.adapters.contracts.test_archive import KEPT, Kept
from tests.simulation.world import CHURN, World

YEAR = timedelta(days=365)


@pytest.fixture(params=KEPT)
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    with ExitStack() as stack:
        yield KEPT[request.param](request, stack)


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
