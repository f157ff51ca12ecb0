"""Messages, ticks and requests through Microsoft's own runtime, to the real engine and store."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.sqlite.queue import Delivery, SqliteQueue
from rollout.adapters.sqlite.store import SqliteStore
from rollout.core.head import Head, Wake
from rollout.core.rollout import Phase
from rollout.ports import Held
from rollout.wakes import STEPS_QUEUE
from tests.builders import a_head, a_rollout, an_endpoint
from tests.functions.conftest import TOKEN
from tests.functions.runtime import Answer, Runtime, datum, raw

AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
LONG = timedelta(days=1)


@pytest.fixture
def store(data: Path) -> Iterator[SqliteStore]:
    """The same one that the app works on."""
    kept = SqliteStore(data / "rollout.db")
    yield kept
    kept.close()


@pytest.fixture
def queue(data: Path) -> Iterator[SqliteQueue]:
    kept = SqliteQueue(data / "rollout.db", SystemClock())
    yield kept
    kept.close()


@pytest.fixture
def live(store: SqliteStore, request: pytest.FixtureRequest) -> Head:
    """An endpoint of its own with a rollout that is due."""
    name = request.node.name.replace("[", "-").replace("]", "").replace("_", "-")[:60]
    rollout = a_rollout(Phase.MEASURING)
    head = a_head(rollout, endpoint=an_endpoint(name), due_at=datetime.now(UTC) - LONG, turn=3)
    store.save(Held(Head(endpoint=head.endpoint), None), head)
    return head


def wake_of(head: Head) -> bytes:
    wake = Wake(endpoint=head.endpoint, generation=head.generation, turn=head.turn)
    return wake.model_dump_json().encode()


def receive(queue: SqliteQueue, head: Head) -> list[Delivery]:
    """The messages that wait for that endpoint, due or not."""
    later, lease = datetime.now(UTC) + LONG, timedelta(minutes=1)
    lent = iter(lambda: queue.receive(STEPS_QUEUE, later, lease), None)
    return [one for one in lent if one.message.session == head.endpoint.key]


def ask(runtime: Runtime, name: str, method: str = "GET", **more: Any) -> Answer:
    given = {"headers": AUTHORIZED, **more}
    return runtime.ask(name, method, "https://app/api/x", **given).answer


# -- the queue's door --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bytes", "string", "json"])
def test_a_message_is_read_however_the_platform_hands_it_over(
    runtime: Runtime, store: SqliteStore, live: Head, kind: str
) -> None:
    body = wake_of(live)

    done = runtime.message("step", raw(body) if kind == "bytes" else datum(kind, body.decode()))

    assert done.ok, done.error
    assert store.load(live.endpoint).head.turn == live.turn + 1


def test_a_step_that_azure_does_not_answer_ends_well_and_looks_again_later(
    runtime: Runtime, store: SqliteStore, queue: SqliteQueue, live: Head
) -> None:
    """Raised, it would be delivered again at once, ten times, and end as a dead letter."""
    before = datetime.now(UTC)

    done = runtime.message("step", raw(wake_of(live)))

    head = store.load(live.endpoint).head
    [following] = receive(queue, live)
    assert done.ok, done.error
    assert head.trouble is not None
    assert head.due_at is not None
    assert head.due_at > before + timedelta(seconds=2)
    assert following.message.not_before == head.due_at
    assert Wake.model_validate_json(following.message.body).turn == live.turn + 1


def test_a_message_that_comes_twice_is_looked_at_once(
    runtime: Runtime, store: SqliteStore, live: Head
) -> None:
    first = runtime.message("step", raw(wake_of(live)))
    etag = store.load(live.endpoint).etag
    again = runtime.message("step", raw(wake_of(live)), DeliveryCount=2)

    assert first.ok
    assert again.ok
    assert store.load(live.endpoint).etag == etag


def test_one_message_for_two_workers_is_looked_at_once(
    runtime: Runtime, store: SqliteStore, queue: SqliteQueue, live: Head
) -> None:
    """As after a lost lock: both run, one decides, one message follows."""
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(runtime.message, "step", raw(wake_of(live))) for _ in range(2)]

    assert [one.result().ok for one in both] == [True, True]
    assert store.load(live.endpoint).head.turn == live.turn + 1
    assert len(receive(queue, live)) == 1


@pytest.mark.parametrize("body", [b"?", b"", b"[]", b'{"endpoint": 1}', b"\xff\xfe"])
def test_a_malformed_message_is_not_taken_as_done(runtime: Runtime, body: bytes) -> None:
    """It goes back to the queue, which buries it where an operator finds it."""
    done = runtime.message("step", raw(body))

    assert not done.ok
    assert "Malformed" in str(done.error)


# -- the timer's door --------------------------------------------------------------------------


@pytest.mark.parametrize("past_due", [False, True])
def test_the_sweep_sends_what_was_lost_again(
    runtime: Runtime, store: SqliteStore, queue: SqliteQueue, live: Head, past_due: bool
) -> None:
    """As where the platform settles a message without ever calling the function."""
    done = runtime.tick("sweep", past_due=past_due)

    [sent] = receive(queue, live)
    wake = Wake.model_validate_json(sent.message.body)
    assert done.ok, done.error
    assert (wake.endpoint, wake.turn) == (live.endpoint, live.turn)
    assert wake.attempt > 0
    assert store.load(live.endpoint).head == live


def test_two_sweeps_at_once_send_one_message(
    runtime: Runtime, queue: SqliteQueue, live: Head
) -> None:
    """As where a timer's lease is lost: it only sends, under ids that are told beforehand."""
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(runtime.tick, "sweep") for _ in range(2)]

    assert [one.result().ok for one in both] == [True, True]
    assert len(receive(queue, live)) == 1


# -- HTTP --------------------------------------------------------------------------------------


def test_whoever_asks_is_told_that_it_lives(runtime: Runtime) -> None:
    told = ask(runtime, "health", headers={})

    assert told.status == 200
    assert told.json() == {"status": "ok"}
    assert told.headers["Content-Type"] == "application/json"


def test_nobody_else_comes_in_without_the_token(runtime: Runtime) -> None:
    told = ask(runtime, "list_rollouts", headers={"authorization": "Bearer guessed"})

    assert told.status == 401
    assert "let me in" not in told.body.decode()


def test_a_path_and_a_query_arrive(runtime: Runtime, live: Head) -> None:
    told = ask(runtime, "rollout_history", params={"ref": "churn-1"}, query={"after": "x"})

    assert told.status == 400
    assert "after=x" in told.json()["detail"]


def test_a_malformed_start_is_told_the_place_and_the_remedy(runtime: Runtime) -> None:
    body = json.dumps({"endpoint": "churn", "deployment": "green", "whom": "anna"}).encode()

    told = ask(runtime, "start_rollout", "POST", body=body)

    assert told.status == 400
    assert "whom: unknown key; did you mean who?" in told.json()["detail"]


def test_a_start_that_azure_does_not_answer_is_no_fault_of_ours(runtime: Runtime) -> None:
    body = json.dumps({"endpoint": "digits", "deployment": "green", "who": "anna"}).encode()

    told = ask(runtime, "start_rollout", "POST", body=body)

    assert told.status == 503
    assert told.headers["Content-Type"] == "application/problem+json"


def test_no_invocation_left_a_fault_in_the_log(runtime: Runtime) -> None:
    """What was malformed on purpose is there, and nothing else."""
    faults = {
        line.split(":")[0]
        for line in runtime.told().splitlines()
        if line.startswith(("rollout.errors.", "AssertionError", "TypeError", "KeyError"))
    }

    assert faults <= {"rollout.errors.Malformed"}
