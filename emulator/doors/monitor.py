"""The doors of Azure Monitor: metrics of one resource, of many, and log queries."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from emulator.arm import durations
from emulator.arm.control import Control
from emulator.arm.journal import Journal
from emulator.arm.lenient import read_object
from emulator.arm.refusals import Refusal, error_document
from emulator.doors.arm import ArmDoor, require_bearer, require_version
from emulator.monitor import logs, metrics, questions
from emulator.monitor.ledger import Ledger
from emulator.monitor.metrics import Question, Visibility

_RESOURCES_MAX = 50
_OF_ONE = frozenset({"timespan", "$filter"})
_OF_MANY = frozenset({"starttime", "endtime", "filter"})
_Handler = Callable[[web.Request], Awaitable[Any]]
_Door = Callable[[web.Request], Awaitable[web.Response]]


def add_to(app: web.Application, arm: ArmDoor, ledger: Ledger, journal: Journal) -> None:
    control = arm.control

    async def one(request: web.Request) -> Any:  # noqa: ANN401 - a JSON document
        arm.admit(request)  # metrics of one resource are a read of Resource Manager
        _refuse_when(control.board.set.metrics_down)
        query = _query(request, _OF_MANY)
        return _metrics(query, request.match_info["resource"], control, ledger)

    async def batch(request: web.Request) -> Any:  # noqa: ANN401 - a JSON document
        require_version(request.query)
        _refuse_when(control.board.set.metrics_down)
        given = read_object(await request.read()).get("resourceids")
        resources = _checked(given, request.match_info["subscription"])
        return {"values": _many(_query(request, _OF_ONE), resources, control, ledger)}

    async def logs_of_all(request: web.Request) -> Any:  # noqa: ANN401 - a JSON document
        return _logs(await request.read(), "", control, ledger)

    async def logs_of_one(request: web.Request) -> Any:  # noqa: ANN401 - a JSON document
        resource = "/" + request.match_info["resource"]
        return _logs(await request.read(), resource, control, ledger)

    def door(handler: _Handler) -> _Door:
        return _door(handler, control, journal)

    insights = "/{insights:[mM]icrosoft\\.[iI]nsights}/metrics"
    app.router.add_get("/{resource:subscriptions/.+}/providers" + insights, door(one))
    app.router.add_post("/subscriptions/{subscription}/metrics:{verb:[gG]et[bB]atch}", door(batch))
    app.router.add_post("/v1/workspaces/{workspace}/query", door(logs_of_all))
    app.router.add_post("/v1/{resource:subscriptions/.+}/query", door(logs_of_one))


def _door(handler: _Handler, control: Control, journal: Journal) -> _Door:
    async def answer(request: web.Request) -> web.Response:
        try:
            require_bearer(request.headers)
            found = await handler(request)
            await journal.keep_back(request.path, control.board.set.metrics_answer_seconds)
            return web.json_response(found)
        except Refusal as refusal:
            now = datetime.fromtimestamp(control.now(), UTC)
            body = error_document(refusal, str(uuid.uuid4()), now)
            return web.json_response(body, status=refusal.status, headers=refusal.headers)

    return answer


def _refuse_when(down: bool) -> None:
    if down:
        raise Refusal(503, "ServiceUnavailable", "The service is unavailable.")


def _query(request: web.Request, others: frozenset[str]) -> dict[str, str]:
    """Without `$`; what the other API calls so is read past, as Azure does."""
    named = {name.lower(): value for name, value in request.query.items()}
    return {name.lstrip("$"): value for name, value in named.items() if name not in others}


def _metrics(
    query: dict[str, str], resource: str, control: Control, ledger: Ledger
) -> dict[str, Any]:
    now, switches = control.now(), control.board.set
    question = questions.read("/" + resource.strip("/"), query, ledger.grain, now)
    visible = Visibility(now, switches.metrics_lag_seconds, control.board.window())
    return _envelope(question, metrics.answer(question, ledger, visible), control.location)


def _checked(resources: object, subscription: str) -> list[object]:
    """At most fifty, and all of the subscription that the path names."""
    if not isinstance(resources, list) or not 1 <= len(resources) <= _RESOURCES_MAX:
        raise Refusal(400, "BadRequest", f"resourceids must be 1 to {_RESOURCES_MAX} ids.")
    own = f"/subscriptions/{subscription}/".lower()
    strange = [one for one in resources if not str(one).lower().startswith(own)]
    if strange:
        raise Refusal(400, "BadRequest", f"{strange[0]} is not of subscription {subscription}.")
    return resources


def _many(
    query: dict[str, str], resources: list[object], control: Control, ledger: Ledger
) -> list[dict[str, Any]]:
    return [
        {
            "starttime": (found := _metrics(query, str(one), control, ledger))["timespan"].split(
                "/"
            )[0],
            "endtime": found["timespan"].split("/")[1],
            "resourceid": str(one),
            **found,
        }
        for one in resources
    ]


def _logs(body: bytes, resource: str, control: Control, ledger: Ledger) -> dict[str, Any]:
    """Rows of every resource whose id begins with `resource`, older than the lag."""
    switches, now = control.board.set, control.now()
    _refuse_when(switches.logs_down)
    asked = read_object(body)
    start, end = logs.span(asked.get("timespan"), now)
    end = min(end, now - switches.logs_lag_seconds)
    seen = (
        answer
        for answer in tuple(ledger.rows)
        if start <= answer.at <= end and answer.endpoint_id.lower().startswith(resource.lower())
    )
    table = logs.traffic(seen, control.workspaces)
    return logs.result(asked.get("query"), table, now)


def _envelope(question: Question, value: list[dict[str, Any]], location: str) -> dict[str, Any]:
    return {
        "cost": 59,
        "timespan": f"{durations.iso(question.start)}/{durations.iso(question.end)}",
        "interval": durations.duration(question.interval),
        "namespace": question.namespace,
        "resourceregion": location,
        "value": value,
    }
