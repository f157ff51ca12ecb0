"""The engine on a simulated Azure: what is decided is saved, and what is saved is done."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from rollout.core.endpoint import EndpointId, Provisioning
from rollout.core.events import AbortRequested, PauseRequested, ResumeRequested
from rollout.core.head import Head, Wake
from rollout.core.rollout import Phase
from rollout.core.traffic import Traffic
from rollout.errors import Refused, Unavailable
from rollout.ports import Answer
from tests.fakes import NOON, FakeStore
from tests.simulation.world import CHURN, World

MINUTE = timedelta(minutes=1)


def test_a_good_canary_takes_all_traffic_step_by_step() -> None:
    world = World()

    world.start()
    rollout = world.run(minutes=120)

    assert rollout.phase is Phase.PROMOTED
    assert [str(write.traffic) for write in world.azure.writes] == [
        "blue 100 %, mirror green 20 %",
        "blue 100 %",
        "blue 95 %, green 5 %",
        "blue 75 %, green 25 %",
        "blue 5 %, green 95 %",
        "green 100 %",
    ]
    assert world.head.owed == ()
    assert world.head.due_at is None


def test_a_bad_canary_gives_all_traffic_back() -> None:
    world = World()
    world.azure.deployments["green"].error_rate = lambda _: 0.05

    world.start()
    rollout = world.run(minutes=120)

    assert rollout.phase is Phase.ROLLED_BACK
    assert world.azure.traffic == Traffic.all_to("blue")


def test_a_canary_that_turns_bad_late_gives_all_traffic_back() -> None:
    world = World()
    late = NOON + timedelta(minutes=25)
    world.azure.deployments["green"].error_rate = lambda at: 0.05 if at > late else 0.002

    world.start()
    rollout = world.run(minutes=120)

    assert rollout.phase is Phase.ROLLED_BACK
    assert world.azure.traffic == Traffic.all_to("blue")


def test_a_rollout_waits_for_its_canary_to_be_created() -> None:
    world = World()
    world.azure.deployments["green"].ready_at = NOON + timedelta(minutes=7)

    world.start()
    world.run(minutes=6)

    assert world.phase is Phase.PREPARING
    assert world.run(minutes=120).phase is Phase.PROMOTED


def test_a_repeated_start_is_the_same_start() -> None:
    world = World()

    first, again = world.start(), world.start()

    assert first.taken
    assert again.taken
    assert again.why == "it is decided already"
    assert world.head.generation == 1


def test_a_refused_start_changes_nothing() -> None:
    world = World()
    world.azure.deployments["green"].state = Provisioning.FAILED

    refused = world.start()

    assert not refused.taken
    assert refused.why == "green is Failed: create it again, then start"
    assert world.head.model_copy(update={"refused": ()}) == Head(endpoint=CHURN)


def test_an_abort_is_sent_within_its_request() -> None:
    world = World()
    world.start()
    world.run(minutes=10)

    world.tell(AbortRequested(id="1", who="anna", why="complaints"))

    assert world.azure.writes[-1].expect is None
    assert world.azure.writes[-1].traffic == Traffic.all_to("blue")
    assert world.run(minutes=5).phase is Phase.ROLLED_BACK


def test_an_abort_while_azure_is_busy_asks_again_every_few_seconds() -> None:
    world = World()
    world.azure.faults.operation = (60, 60)
    world.start()
    world.run(minutes=1)
    assert world.azure.pending

    world.tell(AbortRequested(id="1", who="anna"))
    busy_until = world.azure.pending[0]
    world.run(minutes=10)

    back = world.azure.writes[-1]
    assert back.traffic == Traffic.all_to("blue")
    assert back.at - busy_until <= timedelta(seconds=5)


def test_what_azure_accepted_before_the_rollback_is_followed_at_once() -> None:
    world = World()
    world.start()
    world.run(minutes=12)
    world.tell(AbortRequested(id="1", who="anna"))
    world.run(minutes=3)
    assert world.phase is Phase.ROLLED_BACK

    world.azure.set_by_hand(world.azure.writes[-2].traffic)
    world.run(minutes=3)

    assert world.phase is Phase.ROLLED_BACK
    assert world.azure.traffic == Traffic.all_to("blue")


def test_a_pause_stops_the_stage_clock() -> None:
    world = World()
    world.start()
    world.run(minutes=2)

    world.tell(PauseRequested(id="1", who="anna"))
    world.run(minutes=60)
    assert world.phase is Phase.HOLDING
    world.tell(ResumeRequested(id="2", who="anna"))

    assert world.run(minutes=120).phase is Phase.PROMOTED


def test_a_lost_wake_up_is_sent_again_by_the_sweep() -> None:
    world = World()
    world.start()
    world.queue.rows.clear()

    assert world.run(minutes=120).phase is Phase.PROMOTED


def test_an_endpoint_that_is_deleted_ends_its_rollout() -> None:
    world = World()
    world.start()
    world.run(minutes=8)
    world.azure.gone = True

    rollout = world.run(minutes=5)

    assert rollout.phase is Phase.ROLLED_BACK
    assert world.head.owed == ()
    world.run(minutes=30)
    assert world.head.due_at is None


def test_a_newer_deployment_starts_when_the_live_rollout_is_over() -> None:
    world = World()
    world.azure.deployments["teal"] = world.azure.deployments["blue"].__class__()
    world.start("green")
    world.run(minutes=5)

    waits = world.start("teal")
    world.run(minutes=300)

    assert waits.taken
    assert world.rollout.canary == "teal"
    assert world.azure.traffic == Traffic.all_to("teal")


def test_an_alert_is_followed_by_the_traffic_request_without_metrics() -> None:
    world = World()
    world.start()
    world.run(minutes=14)
    world.azure.faults.metrics_down = 1.0

    world.tell(world.alert())

    assert world.azure.writes[-1].traffic == Traffic.all_to("blue")
    assert world.azure.writes[-1].at == world.clock.now()


def test_azure_that_does_not_answer_a_start_is_said() -> None:
    world = World()
    world.azure.faults.throttled = 1.0

    with pytest.raises(Unavailable, match="429"):
        world.start()

    assert world.store.load(CHURN).etag is None


def test_azure_that_refuses_a_look_is_shown_and_asked_again() -> None:
    world = World()
    world.start()
    world.run(minutes=8)

    world.azure.forbidden = True
    world.run(minutes=5)
    assert world.head.trouble == "403 no right to read"
    assert world.queue.dead == []
    world.azure.forbidden = False

    assert world.run(minutes=120).phase is Phase.PROMOTED


def test_metrics_that_are_refused_end_as_the_policy_says_of_no_data() -> None:
    world = World()
    world.azure.deployments["green"].error_rate = lambda _: 0.5
    world.azure.faults.metrics_refused = True

    world.start()
    world.run(minutes=3)
    assert world.head.trouble == "no metrics: 403 Monitoring Reader is missing"

    assert world.run(minutes=60).phase is Phase.ROLLED_BACK


def test_a_rollback_needs_no_metrics() -> None:
    world = World()
    world.start()
    world.run(minutes=12)
    world.azure.faults.metrics_refused = True
    world.azure.faults.never_done = 1.0
    world.tell(AbortRequested(id="1", who="anna"))
    world.run(minutes=5)
    world.azure.faults.never_done = 0.0

    assert world.run(minutes=5).phase is Phase.ROLLED_BACK
    assert world.azure.traffic == Traffic.all_to("blue")


def test_one_404_does_not_end_a_rollback() -> None:
    world = World()
    world.start()
    world.run(minutes=12)
    world.azure.faults.never_done = 1.0
    world.tell(AbortRequested(id="1", who="anna"))
    world.azure.gone = True
    world.run(minutes=0.5)
    assert world.phase is Phase.ROLLING_BACK
    world.azure.gone = False
    world.azure.faults.never_done = 0.0

    assert world.run(minutes=5).phase is Phase.ROLLED_BACK
    assert world.azure.traffic == Traffic.all_to("blue")


def test_a_rollback_is_asked_again_soon_although_looks_are_throttled() -> None:
    world = World()
    world.start()
    world.run(minutes=12)
    world.azure.faults.throttled = 1.0
    world.azure.faults.retry_after = timedelta(minutes=1)
    world.tell(AbortRequested(id="1", who="anna"))
    began = world.clock.now()

    world.at(0.9, lambda: setattr(world.azure.faults, "throttled", 0.0))
    world.run(minutes=2)

    back = next(write for write in world.azure.writes if write.expect is None)
    assert back.at - began <= timedelta(seconds=54 + 6)


def test_what_waits_begins_after_the_watch() -> None:
    world = World()
    world.azure.deployments["teal"] = world.azure.deployments["blue"].__class__()
    world.start("green")
    world.run(minutes=12)
    world.start("teal")
    world.tell(AbortRequested(id="1", who="anna"))
    world.run(minutes=5)
    late = world.azure.writes[-2].traffic

    world.azure.set_by_hand(late)
    world.run(minutes=3)
    assert world.azure.traffic == Traffic.all_to("blue")

    assert world.run(minutes=120).canary == "teal"


def test_a_look_taken_before_an_abort_is_not_decided_after_it() -> None:
    world = World()
    world.start()
    world.run(minutes=12)
    held = world.store.load(CHURN)
    look = world.engine._looks.look(held.head, "old")
    stale = look.view.model_copy(update={"traffic": Traffic.all_to("blue")})
    look = look.model_copy(update={"view": stale})

    world.tell(AbortRequested(id="1", who="anna"))
    world.engine._handle_look(held, look)

    assert world.phase is Phase.ROLLING_BACK


def promoted() -> World:
    world = World()
    world.start()
    world.run(minutes=120)
    return world


def test_an_undo_is_refused_at_the_door_where_the_baseline_is_gone() -> None:
    world = promoted()
    del world.azure.deployments["blue"]

    decision = world.engine.undo(CHURN, "u", "anna", "")

    assert not decision.taken
    assert decision.why.startswith("blue of the recorded map is gone from the endpoint")
    assert world.phase is Phase.PROMOTED


def test_an_undo_does_not_wait_for_azure_to_answer() -> None:
    world = promoted()
    world.azure.faults.throttled = 1.0

    decision = world.engine.undo(CHURN, "u", "anna", "")

    assert decision.taken
    assert world.phase is Phase.ROLLING_BACK


def test_what_was_announced_and_is_asked_for_again_is_a_persons_own() -> None:
    world = World()
    world.start(happened_at=NOON)
    world.tell(AbortRequested(id="stop", who="anna", why=""))
    world.run(minutes=30)
    heard = world.head.heard

    again = world.engine.retry(CHURN, "once more", "anna", "")

    assert again.taken
    assert len(heard) == 1
    assert world.rollout.order.happened_at is None
    assert world.head.heard == heard


def test_a_canary_that_never_answers_its_smoke_requests_is_rolled_back() -> None:
    world = World()
    world.azure.deployments["green"].smoke_status = 503

    world.start()

    assert world.run(minutes=15).phase is Phase.ROLLED_BACK


def test_of_a_canary_out_of_reach_no_further_request_is_waited_for() -> None:
    world = World()
    world.policies.smoke = b'{"body": {"n": 1}}\n' * 5
    world.azure.deployments["green"].smoke_status = 503

    world.start()
    world.run(minutes=15)

    assert any("1 of 1 smoke requests failed" in why for why in world.told), world.told


def test_an_abort_ends_the_smoke_requests_of_a_canary_that_takes_its_time() -> None:
    world = World()
    world.policies.smoke = b'{"body": {"n": 1}}\n' * 5
    score, asked = world.azure.score, list[bytes]()

    def slow(endpoint: EndpointId, deployment: str, body: bytes) -> Answer:
        asked.append(body)
        world.engine.handle(CHURN, AbortRequested(id="stop", who="anna", why=""))
        return replace(score(endpoint, deployment, body), took=timedelta(seconds=40))

    vars(world.azure)["score"] = slow
    world.start()
    rollout = world.run(minutes=30)

    assert len(asked) == 1
    assert rollout.phase is Phase.ROLLED_BACK
    assert world.head.owed == ()


def test_smoke_requests_that_fail_slowly_are_not_all_sent() -> None:
    world = World()
    world.policies.smoke = b'{"body": {"n": 1}}\n' * 9
    world.azure.deployments["green"].smoke_status = 500
    world.azure.deployments["green"].latency_ms = 40_000

    world.start()
    rollout = world.run(minutes=15)

    assert rollout.phase is Phase.ROLLED_BACK
    why = next(why for why in world.told if "2 of 2 smoke requests failed" in why)
    assert why.endswith("; 7 more were not sent")


def test_a_smoke_file_that_cannot_be_read_holds_and_says_so() -> None:
    world = World()
    world.policies.smoke = b'{"body": "caf\xe9"}'

    world.start()
    rollout = world.run(minutes=5)

    assert rollout.phase is Phase.HOLDING
    assert rollout.hold is not None
    assert "smoke/churn.jsonl: not UTF-8 at byte 13" in rollout.hold.why


def test_the_history_retells_the_rollout() -> None:
    world = World()
    world.start()
    world.run(minutes=120)

    entries = world.store.history(CHURN.key)

    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[0].why == "anna starts green against blue under churn"
    assert entries[-1].after is Phase.PROMOTED
    assert all(entry.why for entry in entries)


class DownStore(FakeStore):
    """One that cannot be looked through, and counts how often it was to be."""

    times = 0

    def repair(self) -> int:
        self.times += 1
        raise Unavailable("busy")


def test_the_store_is_looked_through_once_an_hour_and_a_failure_of_it_stops_no_sweep() -> None:
    store = DownStore()
    world = World(store=store)
    for _ in range(180):
        world.engine.sweep()
        world.clock.advance(MINUTE)

    assert store.times == 3


def _woken(world: World) -> Wake:
    world.start()
    return Wake(endpoint=CHURN, generation=world.head.generation, turn=world.head.turn)


def _raising(error: Exception) -> Callable[[object], None]:
    def call(_: object) -> None:
        raise error

    return call


@pytest.mark.parametrize("no", [Unavailable("the state is away"), Refused("403 a role is missing")])
def test_a_step_without_state_is_sent_again_each_time_later(
    monkeypatch: pytest.MonkeyPatch, no: Exception
) -> None:
    world = World()
    wake = _woken(world)
    world.queue.rows.clear()
    monkeypatch.setattr(world.store, "load", _raising(no))

    for retries in range(7):
        world.engine.wake(wake.model_copy(update={"retries": retries}))

    sent = [row.message for row in world.queue.rows.values()]
    assert [message.id for message in sent] == [f"{wake.message_id}:{n}" for n in range(1, 8)]
    waits = [message.not_before - NOON for message in sent if message.not_before]
    assert [wait.total_seconds() for wait in waits] == [2, 4, 8, 16, 32, 60, 60]


def test_a_step_that_has_neither_state_nor_queue_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    wake = _woken(world)
    monkeypatch.setattr(world.store, "load", _raising(Unavailable("the state is away")))
    monkeypatch.setattr(world.queue, "send", _raising(Unavailable("the queue is away")))

    with pytest.raises(Unavailable, match="the queue is away"):
        world.engine.wake(wake)


@pytest.mark.parametrize("no", [Unavailable("it is away"), Refused("a role is missing")])
def test_a_rollback_needs_no_queue(monkeypatch: pytest.MonkeyPatch, no: Exception) -> None:
    world = World()
    world.start()
    world.run(minutes=10)
    monkeypatch.setattr(world.queue, "send", _raising(no))

    world.tell(AbortRequested(id="1", who="anna"))

    assert world.azure.writes[-1].traffic == Traffic.all_to("blue")
    assert world.azure.writes[-1].expect is None
