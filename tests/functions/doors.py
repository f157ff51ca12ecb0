"""What the function app must be bound to: a door that is added needs one line here."""

from collections.abc import Mapping
from typing import Any

from rollout.api import ROUTES

Binding = dict[str, Any]


def _session_queue(argument: str, queue: str) -> Binding:
    return {
        "type": "serviceBusTrigger",
        "direction": "IN",
        "name": argument,
        "queueName": queue,
        "connection": "SERVICEBUS",
        "isSessionsEnabled": True,
    }


def _queue(argument: str, queue: str) -> Binding:
    binding = _session_queue(argument, queue)
    del binding["isSessionsEnabled"]
    return binding


def _timer(argument: str, schedule: str) -> Binding:
    return {"type": "timerTrigger", "direction": "IN", "name": argument, "schedule": schedule}


def _http(method: str, route: str) -> Binding:
    return {
        "type": "httpTrigger",
        "direction": "IN",
        "name": "req",
        "methods": [method],
        "authLevel": "ANONYMOUS",
        "route": route,
    }


# fmt: off
DRIVEN: Mapping[str, Binding] = {
    "step":  _session_queue("message", "%STEPS_QUEUE%"),
    "on_event": _queue("message", "%EVENTS_QUEUE%"),
    "sweep": _timer("timer", "0 * * * * *"),
    "rotate": _timer("timer", "30 */5 * * * *"),
    "prune": _timer("timer", "0 17 3 * * *"),
}
# fmt: on
ASKED: Mapping[str, Binding] = {route.name: _http(route.method, route.path) for route in ROUTES}
TRIGGERS: Mapping[str, Binding] = {**DRIVEN, **ASKED}

ANSWER: Binding = {"type": "http", "direction": "OUT", "name": "$return"}
