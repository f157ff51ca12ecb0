"""The real engine on Azure Tables: workers that race, workers that die, a clock that jumps."""

import threading
from datetime import timedelta

import pytest

from rollout.adapters.azure.storage.account import Account
from rollout.adapters.azure.storage.store import TableStore
from rollout.core.events import PauseRequested, ResumeRequested
from rollout.core.rollout import Phase
from rollout.core.traffic import Traffic
from tests.azurite.bad_line import BadLine, Fault
from tests.simulation.promises import Promises
from tests.simulation.world import CHURN, World

MINUTE = timedelta(minutes=1)
EVENTS = 12
BUSY = 15
SHORT = """
schema: 1
match: {endpoint: churn}
stages: [{canary: {weight: 25, shortest_minutes: 3, longest_minutes: 30}}]
guards: [{metric: error_rate, worse_by_points: 0.05}]
"""


def test_two_workers_on_one_endpoint_decide_every_event_once(
    account: Account, connection: str
) -> None:
    """The loser loads again and decides again, on what the winner has saved."""
    world = World(store=TableStore(account))
    world.start()
    world.run(minutes=2)
    entries = len(world.told)
    world.store = TableStore(Account.in_azurite(connection, "test"))
    workers = [world.engine, world.new_worker()]
    start = threading.Barrier(len(workers))

    def work(number: int) -> None:
        start.wait()
        for turn in range(EVENTS):
            kind = PauseRequested if turn % 2 == 0 else ResumeRequested
            workers[number].handle(CHURN, kind(id=f"{number}-{turn}", who=f"worker {number}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(workers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    head = world.head
    history = world.store.history(CHURN.key)
    mine = [event for event in head.seen if event[1:2] == "-"]
    assert len(mine) == len(set(mine)) >= EVENTS
    assert [entry.number for entry in history] == list(range(1, head.entries + 1))
    assert {entry.event_id for entry in history[entries:]} <= set(mine)
    assert len({entry.event_id for entry in history[entries:]}) == len(history) - entries


def test_workers_that_die_anywhere_break_no_promise(account: Account) -> None:
    world = World(seed=3, policy=SHORT, store=TableStore(account))
    for deployment in world.azure.deployments.values():
        deployment.error_rate = lambda _: 0.0
    promises = Promises(world)
    world.lost_messages = 0.05
    world.start()
    world.deaths.rate = 0.02

    world.run(minutes=25)

    promises.at_the_end(good=True)
    assert world.deaths.died


def test_tables_that_are_busy_for_a_while_cost_only_time(
    account: Account, watched: TableStore, line: BadLine
) -> None:
    """A step that has no state comes again later, and what was decided is decided once."""
    world = World(seed=3, policy=SHORT, store=watched)
    for deployment in world.azure.deployments.values():
        deployment.error_rate = lambda _: 0.0
    world.start()
    world.run(minutes=2)
    busy = Fault(lambda _sent: True, 503, {"Retry-After": "20"}, times=BUSY)
    line.faults.append(busy)

    ended = world.run(minutes=25)

    history = TableStore(account).history(CHURN.key)
    assert busy.times == 0
    assert ended.phase is Phase.PROMOTED
    assert world.azure.traffic == Traffic.all_to("green")
    assert [entry.number for entry in history] == list(range(1, world.head.entries + 1))
    assert len({entry.event_id for entry in history}) == len(history)


@pytest.mark.parametrize("jump", [timedelta(hours=-3), timedelta(hours=1)], ids=["back", "on"])
def test_a_clock_that_jumps_loses_nothing(account: Account, jump: timedelta) -> None:
    """Its messages are gone as well: only what the store says to be due goes on."""
    world = World(store=TableStore(account))
    world.start()
    world.run(minutes=3)
    before = world.clock.now()
    world.clock.time += jump
    world.queue.rows.clear()
    world.queue.sent.clear()
    due = world.store.due(max(before, world.clock.now()) + MINUTE, 9)
    assert [head.endpoint for head in due] == [CHURN]

    world.clock.time = max(before, world.clock.now())
    world.azure.deployments["green"].error_rate = lambda _: 0.2
    world.run(minutes=40)

    assert world.phase is Phase.ROLLED_BACK
    assert world.azure.traffic == Traffic.all_to("blue")
