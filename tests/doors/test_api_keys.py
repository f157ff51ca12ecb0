"""Keys over HTTP: asked, refused, told; and never a key in an answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rollout.api import Api, Request, Response
from rollout.arrivals import Arrivals
from rollout.core.rotation.state import KeyName
from rollout.errors import Unavailable
from rollout.links import Desk
from rollout.rehearsal.memory import Memory
from rollout.retention import Retention
from rollout.settings import Settings
from tests.doctor.patients import a_doctor
from tests.fakes import FakeArchive
from tests.simulation.azure import SimulatedMetrics
from tests.simulation.key_world import KeyWorld
from tests.simulation.keys import KeyFaults
from tests.simulation.world import CHURN

TOKEN = "the-token"


class Caller:
    """A person with the token, on an endpoint whose regenerations take a while."""

    def __init__(self) -> None:
        self.world = KeyWorld(faults=KeyFaults(operation=(5, 5), lands=(0, 0), refused=(0, 0)))
        world = self.world
        settings = Settings(api_token=SecretStr(TOKEN), workspaces=(CHURN.in_workspace,))
        self.api = Api(
            engine=world.engine,
            store=world.store,
            feed=world.store,
            queue=world.queue,
            keys=world.rotations,
            policies=world.policies,
            clock=world.clock,
            settings=settings,
            doctor=a_doctor(world, world.policies),
            arrivals=Arrivals(world.engine, world.policies, world.queue, world.clock),
            desk=Desk(lambda: SecretStr("unused"), None),
            memory=Memory(world.azure, SimulatedMetrics(world.azure), world.samples, world.clock),
            retention=Retention(world.store, FakeArchive(world.store), world.samples, world.clock),
        )

    def ask(self, name: str, body: Any = None, key: str = "", **path: str) -> Response:
        headers = {"authorization": f"Bearer {TOKEN}"}
        headers |= {"idempotency-key": key} if key else {}
        sent = json.dumps(body).encode() if body is not None else b""
        return self.api.answer(name, Request("POST", {"ref": "churn", **path}, {}, headers, sent))

    def rotate(self, key: str = "", **more: Any) -> Response:
        return self.ask("rotate_keys", {"who": "anna", **more}, key)


@pytest.fixture
def caller() -> Caller:
    return Caller()


def told(answer: Response) -> Any:
    return json.loads(answer.body)


def test_a_rotation_is_begun_and_told_where_it_stands(caller: Caller) -> None:
    answer = caller.rotate(why="audit")

    assert answer.status == 201
    assert told(answer)["decided"] == "anna rotates the keys: audit"
    assert told(answer)["rotation"]["phase"] == "renewing_spare"


def test_the_same_wish_is_taken_once(caller: Caller) -> None:
    first, again = caller.rotate("k1"), caller.rotate("k1")
    other = caller.rotate("k2")

    assert (first.status, again.status, other.status) == (201, 201, 409)
    assert told(first)["rotation"]["id"] == told(again)["rotation"]["id"]
    assert "being rotated already" in told(other)["detail"]
    assert len(caller.world.keys.regenerated) == 1


@pytest.mark.parametrize("mode", ["amltoken", "aadtoken"])
def test_an_endpoint_without_keys_is_refused_with_the_reason(caller: Caller, mode: str) -> None:
    caller.world.keys.mode = mode

    answer = caller.rotate()

    assert answer.status == 409
    assert "endpoints have no keys to rotate" in told(answer)["detail"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"who": "anna", "leakd": True}, "did you mean leaked?"),
        ({"who": "anna", "in_use": "tertiary"}, "in_use"),
        ({}, "who: missing"),
        ({"who": "anna", "leaked": "yes"}, "leaked"),
    ],
)
def test_a_wrong_body_changes_nothing(caller: Caller, body: Any, detail: str) -> None:
    answer = caller.ask("rotate_keys", body)

    assert answer.status == 400
    assert detail in told(answer)["detail"]
    assert caller.world.head.rotation is None


def test_a_question_is_answered(caller: Caller) -> None:
    assert caller.world.secrets is not None
    caller.world.secrets.versions.clear()
    asking = told(caller.rotate())["rotation"]

    body = {"who": "ben", "in_use": "secondary"}
    resumed = told(caller.ask("command_keys", body, verb="resume"))["rotation"]

    assert asking["needs_person"]
    assert asking["remedy"] == "rollout keys resume w/churn --in-use primary|secondary"
    assert (resumed["in_use"], resumed["phase"]) == ("secondary", "renewing_spare")
    assert caller.world.keys.regenerated == [KeyName.PRIMARY]


def test_an_abort_ends_it_and_a_second_one_means_nothing(caller: Caller) -> None:
    caller.rotate()

    ended = caller.ask("command_keys", {"who": "ben"}, verb="abort")
    again = caller.ask("command_keys", {"who": "ben"}, verb="abort")
    strange = caller.ask("command_keys", {"who": "ben"}, verb="halt")

    assert (ended.status, again.status, strange.status) == (200, 409, 404)
    assert told(ended)["rotation"]["phase"] == "aborted"


def test_a_name_that_no_endpoint_has_is_refused_and_nothing_is_kept(caller: Caller) -> None:
    answer = caller.ask("rotate_keys", {"who": "anna"}, ref="churnn")

    assert answer.status == 404
    assert "churnn" in told(answer)["detail"]
    assert caller.world.store.live(10) == []


def test_a_rotation_begins_although_azure_does_not_answer(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_endpoint: object) -> None:
        raise Unavailable("503")

    monkeypatch.setattr(caller.world.keys, "read", down)

    answer = caller.rotate(leaked=True)

    assert answer.status == 201
    assert told(answer)["rotation"]["trouble"] == "503"


def test_one_rotation_is_read_by_its_id(caller: Caller) -> None:
    first = told(caller.rotate("k1"))["rotation"]["id"]
    caller.world.pass_time(60)
    second = told(caller.rotate("k2"))["rotation"]["id"]

    whole, one, other = (
        told(caller.ask("keys_history", ref=ref))["entries"] for ref in ("churn", first, second)
    )

    assert {entry["rotation_id"] for entry in one} == {first}
    assert {entry["rotation_id"] for entry in other} == {second}
    assert whole == one + other
    assert told(caller.ask("show_keys", ref=first))["rotation"]["id"] == second
    assert caller.ask("rotate_keys", {"who": "anna"}, ref=second).status == 404


def test_a_rotation_that_never_was_is_unknown(caller: Caller) -> None:
    answer = caller.ask("keys_history", ref="churn-0123456789-keys-1")

    assert answer.status == 404


def test_what_is_told_holds_no_key(caller: Caller, tmp_path: Path) -> None:
    before = set(caller.world.keys.keys.values())
    caller.rotate()
    caller.world.pass_time(60)

    answers = [caller.ask(name) for name in ("list_keys", "show_keys", "keys_history")]

    assert [answer.status for answer in answers] == [200, 200, 200]
    text = b"".join(answer.body for answer in answers).decode()
    assert not [key for key in before | set(caller.world.keys.keys.values()) if key in text]
    entries = told(answers[2])["entries"]
    assert [one["after"] for one in entries][-1] == "rotated"
    assert told(answers[1])["in_use"] == "secondary"
