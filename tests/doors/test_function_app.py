"""The function app as the platform's own library indexes it: bindings, names, and who is asked."""

import ast
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func
import pytest
from azure.functions.servicebus import ServiceBusMessage
from azure.functions.timer import TimerRequest

from rollout import wiring
from rollout.api import ROUTES, Request, Response
from rollout.api.rollouts import PREFIX
from rollout.core.head import Wake
from rollout.errors import Malformed
from rollout.host import HostSettings
from rollout.host.doors import QueueDoor, read_doors
from tests.builders import an_endpoint
from tests.doors.payloads import payload, raw

ROOT = Path(__file__).parents[2]
HOST: dict[str, Any] = json.loads((ROOT / "host.json").read_text())


@dataclass
class Indexed:
    """A freshly loaded function app, and the bindings of each of its functions."""

    module: ModuleType
    bindings: Mapping[str, list[dict[str, Any]]]

    def trigger(self, name: str) -> dict[str, Any]:
        return next(one for one in self.bindings[name] if one["type"].endswith("Trigger"))

    def call(self, name: str, *given: Any) -> Any:
        return getattr(self.module, name)(*given)


@pytest.fixture(scope="module")
def indexed() -> Indexed:
    spec = importlib.util.spec_from_file_location("indexed_function_app", ROOT / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    functions = module.app.get_functions()
    return Indexed(
        module,
        {
            one.get_function_name(): list(map(json.loads, one.get_raw_bindings()))
            for one in functions
        },
    )


# -- bindings ------------------------------------------------------------------------------------


def test_each_route_of_the_table_has_its_function_and_no_function_is_beyond_it(
    indexed: Indexed,
) -> None:
    http = {name for name in indexed.bindings if indexed.trigger(name)["type"] == "httpTrigger"}
    bound = {
        (name, *indexed.trigger(name)["methods"], indexed.trigger(name)["route"]) for name in http
    }

    assert bound == {(route.name, route.method, route.path) for route in ROUTES}
    assert set(indexed.bindings) - http == {"step", "sweep", "on_event", "rotate", "prune"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_the_platform_asks_nobody_for_a_key(indexed: Indexed, route: Any) -> None:
    assert indexed.trigger(route.name)["authLevel"].upper() == "ANONYMOUS"


def test_a_step_is_one_message_of_one_session(indexed: Indexed) -> None:
    trigger = indexed.trigger("step")

    assert trigger["type"] == "serviceBusTrigger"
    assert trigger["queueName"] == "%STEPS_QUEUE%"
    assert trigger["connection"] == "SERVICEBUS"
    assert trigger["isSessionsEnabled"] is True
    assert str(trigger.get("cardinality", "one")).lower() == "one"
    assert trigger.get("autoCompleteMessages", True) is True


def test_events_come_one_by_one_from_a_queue_without_sessions(indexed: Indexed) -> None:
    trigger = indexed.trigger("on_event")

    assert (trigger["type"], trigger["queueName"]) == ("serviceBusTrigger", "%EVENTS_QUEUE%")
    assert not trigger.get("isSessionsEnabled")
    assert str(trigger.get("cardinality", "one")).lower() == "one"


def test_the_sweep_runs_every_minute(indexed: Indexed) -> None:
    trigger = indexed.trigger("sweep")

    assert (trigger["type"], trigger["schedule"]) == ("timerTrigger", "0 * * * * *")
    assert not trigger.get("runOnStartup")


def test_every_door_is_short_and_plain() -> None:
    tree = ast.parse((ROOT / "function_app.py").read_text())
    doors = [node for node in tree.body if isinstance(node, ast.FunctionDef)]

    assert not [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]
    assert all(len(door.body) <= 5 for door in doors)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.If | ast.Match)]


def test_the_host_of_one_machine_runs_both_queues() -> None:
    """By the app's own metadata: it may be asked only once, so it is loaded anew."""
    spec = importlib.util.spec_from_file_location("hosted_function_app", ROOT / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    doors = read_doors(module.app, HostSettings.read().names)

    queues = {door.name: door.queue for door in doors if isinstance(door, QueueDoor)}
    assert queues == {"step": "steps", "on_event": "events"}


# -- host.json -----------------------------------------------------------------------------------


def test_the_platform_puts_the_prefix_that_the_api_knows() -> None:
    assert HOST["extensions"]["http"]["routePrefix"] == PREFIX


def test_a_session_is_held_longer_than_a_function_may_run() -> None:
    held = HOST["extensions"]["serviceBus"]["maxAutoLockRenewalDuration"]

    assert _duration(held) > _duration(HOST["functionTimeout"])


def _duration(text: str) -> timedelta:
    hours, minutes, seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


# -- what each door hands over -------------------------------------------------------------------


@dataclass
class Listening:
    """Stands in for the engine and the API: notes what it is handed."""

    asked: list[Any] = field(default_factory=list)

    def answer(self, name: str, request: Request) -> Response:
        self.asked.append((name, request))
        return Response(418, b"tea", {"Content-Type": "text/x-tea", "Location": "/pot"})

    def wake(self, wake: Wake) -> None:
        self.asked.append(wake)

    def hear(self, body: bytes, message_id: str) -> None:
        self.asked.append((body, message_id))

    def sweep(self) -> int:
        self.asked.append("sweep")
        return 0

    def tick(self) -> int:
        self.asked.append("tick")
        return 0


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Listening:
    heard = Listening()
    monkeypatch.setattr(wiring, "api", lambda: heard)
    monkeypatch.setattr(wiring, "engine", lambda: heard)
    monkeypatch.setattr(wiring, "arrivals", lambda: heard)
    monkeypatch.setattr(wiring, "rotations", lambda: heard)
    monkeypatch.setattr(wiring, "retention", lambda: heard)
    return heard


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_request_is_handed_over_whole_and_answered_whole(
    indexed: Indexed, listening: Listening, route: Any
) -> None:
    asked = func.HttpRequest(
        route.method,
        f"https://x/{PREFIX}/{route.path}",
        headers={"Authorization": "Bearer t", "Idempotency-Key": "k"},
        params={"limit": "3"},
        route_params={"ref": "churn"},
        body=b"{}",
    )

    answer = indexed.call(route.name, asked)

    headers = {"authorization": "Bearer t", "idempotency-key": "k"}
    request = Request(route.method, {"ref": "churn"}, {"limit": "3"}, headers, b"{}")
    assert listening.asked == [(route.name, request)]
    assert (answer.status_code, answer.get_body()) == (418, b"tea")
    assert dict(answer.headers) == {"Content-Type": "text/x-tea", "Location": "/pot"}


def test_a_message_wakes_its_endpoint(indexed: Indexed, listening: Listening) -> None:
    wake = Wake(endpoint=an_endpoint(), generation=1, turn=2)

    indexed.call("step", _message(wake.model_dump_json().encode()))

    assert listening.asked == [wake]


def test_an_event_is_handed_over_with_its_id(indexed: Indexed, listening: Listening) -> None:
    body = raw(payload("azure/event_validation"))

    indexed.call("on_event", _message(body))

    assert listening.asked == [(body, "m")]


def test_a_strange_message_is_not_taken_as_done(indexed: Indexed, listening: Listening) -> None:
    with pytest.raises(Malformed):
        indexed.call("step", _message(b"?"))


def _message(body: bytes) -> func.ServiceBusMessage:
    return ServiceBusMessage(
        body=body, message_id="m", application_properties={}, user_properties={}
    )


def test_the_timer_sweeps(indexed: Indexed, listening: Listening) -> None:
    indexed.call("sweep", TimerRequest())

    assert listening.asked == ["sweep"]


def test_a_timer_begins_rotations(indexed: Indexed, listening: Listening) -> None:
    indexed.call("rotate", TimerRequest())

    assert listening.asked == ["tick"]
    assert indexed.trigger("rotate")["schedule"] == "30 */5 * * * *"


def test_a_timer_removes_the_past_once_a_night(indexed: Indexed, listening: Listening) -> None:
    indexed.call("prune", TimerRequest())

    assert listening.asked == ["tick"]
    assert indexed.trigger("prune")["schedule"] == "0 17 3 * * *"
