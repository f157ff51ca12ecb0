"""What comes between a save and what was decided in it: another worker, or a store that is away."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rollout.core.endpoint import EndpointId
from rollout.core.events import AbortRequested
from rollout.core.head import Head, HistoryEntry
from rollout.core.rollout import Phase
from rollout.core.traffic import Traffic
from rollout.errors import Refused, RolloutError, Unavailable, Unknown
from rollout.ports import Held
from tests.fakes import FakeStore
from tests.simulation.world import CHURN, POLICY, World

BLUE = Traffic.all_to("blue")
ABORT = AbortRequested(id="abort", who="anna", why="complaints")
DELETED = POLICY.replace("guards:", "  - retire: {baseline: delete}\nguards:")


class OvertakenStore(FakeStore):
    """Something happens as soon as a rollout is saved in that phase."""

    phase: Phase
    then: Callable[[], object] | None = None
    away: bool = False

    def load(self, endpoint: EndpointId) -> Held:
        if self.away:
            raise Unavailable("503 the store does not answer")
        return super().load(endpoint)

    def save(self, held: Held, head: Head, entry: HistoryEntry | None = None) -> Held:
        saved = super().save(held, head, entry)
        then = self.then
        if then and head.phase is self.phase:
            self.then = None
            then()
        return saved


def overtaken(phase: Phase, policy: str = POLICY) -> tuple[World, OvertakenStore]:
    store = OvertakenStore()
    store.phase = phase
    world = World(policy=policy, store=store)
    world.start()
    return world, store


def test_an_old_baseline_is_not_deleted_once_a_rollback_to_it_is_decided() -> None:
    world, store = overtaken(Phase.RETIRING, DELETED)
    store.then = lambda: world.tell(ABORT)

    rollout = world.run(minutes=120)

    assert "blue" in world.azure.deployments
    assert (rollout.phase, world.azure.traffic) == (Phase.ROLLED_BACK, BLUE)


@pytest.mark.parametrize("fate", ["baseline: delete", "scale_to: 1"])
@pytest.mark.parametrize("lost", [0.0, 1.0], ids=["on its way", "lost at Azure"])
def test_a_rollback_that_only_azure_knows_of_keeps_the_old_baseline_as_it_is(
    fate: str, lost: float
) -> None:
    world, store = overtaken(Phase.RETIRING, DELETED.replace("baseline: delete", fate))
    before = world.azure.deployments["blue"]

    def aborted() -> None:
        world.roads.refuse_until(world.clock.now() + timedelta(minutes=3))
        world.azure.faults.never_done = lost
        world.tell(ABORT)
        world.azure.faults.never_done = 0.0

    store.then = aborted
    rollout = world.run(minutes=120)

    assert store.then is None
    assert (world.azure.deployments.get("blue"), before.instances) == (before, 2)
    assert (rollout.phase, world.azure.traffic) == (Phase.ROLLED_BACK, BLUE)


@pytest.mark.parametrize("no", [Refused("403 no right to read"), Unknown("404 churn")])
def test_a_deletion_before_which_azure_cannot_be_read_meets_that_itself(no: RolloutError) -> None:
    world, store = overtaken(Phase.RETIRING, DELETED)

    def unread(*_: object) -> None:
        raise no

    store.then = lambda: setattr(world.azure, "read", unread)
    world.run(minutes=60)

    assert any(f"Azure refuses to delete blue: {no}" in told for told in world.told)


def test_a_rollback_that_is_saved_is_sent_though_the_store_is_away_by_then() -> None:
    world, store = overtaken(Phase.ROLLING_BACK)
    world.run(minutes=12)
    store.then = lambda: setattr(store, "away", True)

    world.tell(ABORT)

    last = world.azure.writes[-1]
    assert (last.traffic, last.at) == (BLUE, world.clock.now())


def test_a_store_that_refuses_beside_a_write_is_no_answer_of_azure() -> None:
    world = World()
    set_traffic, load = world.azure.set_traffic, world.store.load
    refusals, asking = iter([Refused("403 a role is missing")] * 2), []

    def asked(*wish: Any) -> Any:
        asking.append(wish)
        try:
            return set_traffic(*wish)
        finally:
            asking.pop()

    def refused(endpoint: EndpointId) -> Held:
        if asking and (no := next(refusals, None)):
            raise no
        return load(endpoint)

    vars(world.azure)["set_traffic"], vars(world.store)["load"] = asked, refused
    world.start()
    rollout = world.run(minutes=300)

    assert next(refusals, None) is None
    assert rollout.phase is Phase.PROMOTED
    assert "ActionRefused" not in [one.event for one in world.store.history(CHURN.key)]
