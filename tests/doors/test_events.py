"""The event stream as a client reads it: answer by answer, each from where the last one ended."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Semaphore
from typing import Any

import pytest

from rollout.api.events import BACK_LATER, BACK_SOON, PAGE, WAIT_SECONDS_MAX
from rollout.core.callers import LocalToken, Role
from tests.doors.callers import Caller, a_caller, read
from tests.simulation.world import CHURN, POLICY


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return a_caller(tmp_path, POLICY)


@dataclass
class Client:
    """What the HTML standard lets a browser do with an answer."""

    caller: Caller
    query: dict[str, str] = field(default_factory=lambda: {"wait": "0"})
    last_id: str = ""
    retry: int = 0
    heard: list[dict[str, Any]] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)

    def open(self) -> int:
        """One connection; returns how many events it brought."""
        known = dict(self.caller.headers)
        if self.last_id:
            self.caller.headers = {**known, "last-event-id": self.last_id}
        answer = self.caller.ask("stream_events", query=self.query)
        self.caller.headers = known
        assert answer.status == 200, answer.body
        assert answer.headers["Content-Type"] == "text/event-stream"
        before = len(self.heard)
        for block in answer.body.decode().split("\n\n")[:-1]:
            self._take(dict(line.split(": ", 1) for line in block.splitlines()))
        return len(self.heard) - before

    def _take(self, fields: dict[str, str]) -> None:
        self.retry = int(fields.get("retry", self.retry))
        self.last_id = fields.get("id", self.last_id)
        if "data" in fields:
            self.heard.append(json.loads(fields["data"]))
            self.ids.append(int(self.last_id))


def _whole(client: Client) -> None:
    """Every entry of the endpoint's history was heard once, in order."""
    kept = client.caller.world.store.history(CHURN.key)
    heard = [one["entry"] for one in client.heard]
    assert heard == [one.model_dump(mode="json") for one in kept]
    assert client.ids == sorted(set(client.ids))


def test_a_rollout_is_heard_from_its_start_to_its_end_however_often_the_line_breaks(
    caller: Caller,
) -> None:
    client = Client(caller)
    client.open()

    caller.start()
    for _ in range(40):
        caller.world.run(minutes=3)
        client.open()
        client.open()

    assert client.heard[0]["endpoint"] == "w/churn"
    assert client.heard[-1]["entry"]["after"] == "promoted"
    _whole(client)


def test_who_comes_first_hears_what_is_new_from_then_on(caller: Caller) -> None:
    caller.start()
    client = Client(caller)

    assert client.open() == 0

    caller.command("pause")
    caller.command("abort")
    client.open()
    heard = [one["entry"]["event"] for one in client.heard]
    assert heard[:2] == ["PauseRequested", "AbortRequested"]


def test_the_whole_past_is_read_page_by_page(caller: Caller) -> None:
    caller.start()
    for number in range(PAGE):
        caller.command("abort" if number % 2 else "retry", key=f"{number}")
        caller.world.run(minutes=1)
    client = Client(caller, {"wait": "0", "after": "0"})

    while client.open():
        client.query = {"wait": "0"}

    _whole(client)
    assert len(client.heard) > PAGE


def test_some_of_the_past_is_told_where_it_is_asked_for(caller: Caller) -> None:
    caller.start()
    caller.command("abort")
    whole = Client(caller, {"wait": "0", "after": "0"})
    whole.open()

    some = Client(caller, {"wait": "0", "last": "1"})

    assert some.open() == 1
    assert some.heard == whole.heard[-1:]
    assert Client(caller, {"wait": "0", "last": "1000"}).open() == len(whole.heard)


def test_one_endpoint_may_be_heard_alone(caller: Caller) -> None:
    caller.start()
    mine = Client(caller, {"wait": "0", "after": "0", "endpoint": "churn"})
    other = Client(caller, {"wait": "0", "after": "0", "endpoint": "w/other"})

    assert (mine.open() > 0, other.open()) == (True, 0)
    assert mine.last_id == other.last_id != "0"


def test_who_waits_is_answered_as_soon_as_something_is_new(caller: Caller) -> None:
    slept: list[float] = []

    def later(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            caller.start()

    caller.api = replace(caller.api, sleep=later)
    client = Client(caller, {"wait": "20"})

    assert client.open() > 0
    assert slept == [1, 1, 1]


def test_who_waits_in_vain_hears_a_heartbeat_and_comes_back(caller: Caller) -> None:
    slept: list[float] = []
    caller.api = replace(caller.api, sleep=slept.append)
    client = Client(caller, {})

    assert client.open() == 0

    assert sum(slept) == 5
    assert client.retry == BACK_SOON
    answer = caller.ask("stream_events", query={"wait": "0"})
    assert b"\n: nothing new at 2026-" in answer.body


def test_only_some_may_wait_so_that_an_alert_finds_a_thread(caller: Caller) -> None:
    slept: list[float] = []
    caller.api = replace(caller.api, sleep=slept.append, waiting=Semaphore(1))
    client = Client(caller, {})
    assert caller.api.waiting.acquire(blocking=False)

    client.open()
    assert (slept, client.retry) == ([], BACK_LATER)

    caller.api.waiting.release()
    client.open()
    client.open()
    assert (len(slept), client.retry) == (10, BACK_SOON)


def test_a_place_of_a_store_that_was_put_back_goes_on_at_its_end(caller: Caller) -> None:
    caller.start()
    client = Client(caller, last_id="999999")

    assert client.open() == 0
    caller.command("abort")
    assert client.open() > 0


@pytest.mark.parametrize(
    "query",
    [
        {"wait": str(WAIT_SECONDS_MAX + 1)},
        {"wait": "-1"},
        {"last": "1001"},
        {"after": "x"},
        {"after": "1e3"},
        {"after": "9" * 13},
        {"after": "\u0663"},
        {"endpoint": "a b"},
    ],
)
def test_a_strange_question_is_refused(caller: Caller, query: dict[str, str]) -> None:
    assert caller.ask("stream_events", query=query).status == 400


def test_a_strange_id_is_refused_by_name(caller: Caller) -> None:
    caller.headers["last-event-id"] = "1; drop"

    told = read(caller.ask("stream_events"))

    assert (told["status"], "Last-Event-ID" in told["detail"]) == (400, True)


@pytest.mark.parametrize(("role", "status"), [(Role.READER, 200), (Role.ALERTER, 403)])
def test_readers_may_listen(tmp_path: Path, role: Role, status: int) -> None:
    shown = "rollout_a-token-of-somebody-that-is-long-enough-here"
    caller = a_caller(tmp_path, POLICY, tokens=(LocalToken.of("r", role, shown),))
    caller.headers = {"authorization": f"Bearer {shown}"}

    assert caller.ask("stream_events", query={"wait": "0"}).status == status


def test_without_a_token_nothing_is_heard(caller: Caller) -> None:
    caller.headers = {}

    assert caller.ask("stream_events").status == 401
