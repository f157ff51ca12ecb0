"""The functions of a function app, as its own metadata tells how each is triggered."""

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import azure.functions as func

from rollout.errors import Malformed

_SETTING = re.compile(r"%(\w+)%")
_ROUTE = re.compile(r"[\w./-]*(\{\w+\}[\w./-]*)*")

Metadata = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HttpDoor:
    name: str
    route: str
    methods: tuple[str, ...]
    call: Callable[..., func.HttpResponse]
    argument: str


@dataclass(frozen=True, slots=True)
class QueueDoor:
    name: str
    queue: str
    call: Callable[..., object]
    argument: str


@dataclass(frozen=True, slots=True)
class TimerDoor:
    """Its schedule has six fields, seconds first."""

    name: str
    schedule: str
    call: Callable[..., object]
    argument: str
    at_start: bool = False


Door = HttpDoor | QueueDoor | TimerDoor


def read_doors(app: func.FunctionApp, names: Mapping[str, str]) -> tuple[Door, ...]:
    """The app's functions; `names` are the settings that stand for %NAME%.

    An app can be asked for its functions only once. Raises Malformed for a function that this host
    cannot run, and names it.
    """
    return tuple(_door(function, names) for function in app.get_functions())


def _door(function: Any, names: Mapping[str, str]) -> Door:  # noqa: ANN401 - azure's, untyped
    name = function.get_function_name()
    bindings = [json.loads(raw) for raw in function.get_raw_bindings()]
    triggers = [binding for binding in bindings if binding["type"] in _OPENERS]
    others = [one["type"] for one in bindings if one not in triggers and one["type"] != "http"]
    if others or len(triggers) != 1:
        known = ", ".join(_OPENERS)
        raise Malformed(f"{name}: bound to {', '.join(others)}; this host runs only {known}")
    call = function.get_user_function()
    if inspect.iscoroutinefunction(call):
        raise Malformed(f"{name}: an async function; this host runs plain ones")
    trigger = triggers[0]
    return _OPENERS[trigger["type"]](name, trigger, call, names)


def _http(
    name: str, trigger: Metadata, call: Callable[..., Any], _names: Mapping[str, str]
) -> HttpDoor:
    route = str(trigger.get("route") or name)
    if str(trigger.get("authLevel", "")).lower() != "anonymous":
        raise Malformed(f"{name}: wants a function key, and this host has none")
    if not _ROUTE.fullmatch(route):
        raise Malformed(f"{name}: the route {route} has a constraint that this host does not know")
    return HttpDoor(name, route, _methods(trigger), call, trigger["name"])


def _methods(trigger: Metadata) -> tuple[str, ...]:
    methods: Sequence[str] = trigger.get("methods") or ("GET", "POST")
    return tuple(method.upper() for method in methods)


def _queue(
    name: str, trigger: Metadata, call: Callable[..., Any], names: Mapping[str, str]
) -> QueueDoor:
    return QueueDoor(name, _named(trigger["queueName"], names, name), call, trigger["name"])


def _timer(
    name: str, trigger: Metadata, call: Callable[..., Any], names: Mapping[str, str]
) -> TimerDoor:
    schedule = _named(trigger["schedule"], names, name)
    at_start = bool(trigger.get("runOnStartup"))
    return TimerDoor(name, schedule, call, trigger["name"], at_start)


def _named(text: str, names: Mapping[str, str], function: str) -> str:
    """The text with each %NAME% replaced by that setting."""
    missing = [name for name in _SETTING.findall(text) if name not in names]
    if missing:
        raise Malformed(f"{function}: the setting {missing[0]} is not there for {text}")
    return _SETTING.sub(lambda found: names[found[1]], text)


_OPENERS: Mapping[str, Callable[..., Door]] = {
    "httpTrigger": _http,
    "serviceBusTrigger": _queue,
    "timerTrigger": _timer,
}
