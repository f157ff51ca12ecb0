"""The door of Azure Resource Manager: every path, in any letter case."""

import logging
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random

from aiohttp import web

from emulator.arm.calls import Call, Reply
from emulator.arm.control import Control
from emulator.arm.journal import Journal
from emulator.arm.refusals import Refusal, error_document
from emulator.arm.routes import ROUTES, Route
from emulator.switches import Switches

_log = logging.getLogger(__name__)
_REFUSED_READS = frozenset(
    {"endpoint.list", "endpoint.get", "deployment.list", "deployment.get", "keys.list"}
)
_TABLE = tuple((route, route.pattern()) for route in ROUTES)


class ArmDoor:
    """Turns requests into calls, and replies and refusals into responses."""

    def __init__(self, control: Control, journal: Journal, dice: Random) -> None:
        self.control = control
        self._journal = journal
        self._dice = dice

    async def answer(self, request: web.Request) -> web.Response:
        route, ids = _routed(request.method, request.path)
        call = Call(
            method=request.method,
            base=f"{request.scheme}://{request.host}",
            path=request.path,
            ids=ids,
            query=request.query,
            query_text=request.rel_url.raw_query_string,
            body=await request.read(),
        )
        try:
            self.admit(request)
            _refuse_by_switch(self.control.board.set, route)
            reply = self._reply(route, call)
        except Refusal as refusal:
            reply = self._refused(refusal)
        except Exception:  # noqa: BLE001 - a door: the caller gets an answer
            _log.exception("%s %s", call.method, call.path)
            reply = self._refused(Refusal(500, "InternalServerError", "The emulator failed."))
        self._note(route, call, reply.status)
        await self._journal.keep_back(call.path, self.control.board.set.arm_answer_seconds)
        return response(reply)

    def admit(self, request: web.Request) -> None:
        """Raise what goes wrong before anybody has looked at what is asked, of any provider."""
        require_bearer(request.headers)
        require_version(request.query)
        switches = self.control.board.set
        if switches.arm_down:
            raise Refusal(503, "ServiceUnavailable", "The service is unavailable.")
        if self._dice.random() < switches.throttle_rate:
            headers = self.control.retry_after()
            raise Refusal(429, "TooManyRequests", "Too many requests; wait.", headers)

    def _reply(self, route: Route | None, call: Call) -> Reply:
        if route is None:
            raise Refusal(404, "ResourceNotFound", f"{call.method} {call.path} is not played.")
        return route.handler(self.control, call)

    def _refused(self, refusal: Refusal) -> Reply:
        now = datetime.fromtimestamp(self.control.now(), UTC)
        body = error_document(refusal, str(uuid.uuid4()), now)
        return Reply(refusal.status, body, refusal.headers)

    def _note(self, route: Route | None, call: Call, status: int) -> None:
        kind = route.kind if route else "unknown"
        if route is None or not route.writes:
            self._journal.note_read(kind, status)
            return
        entry = {
            "kind": kind,
            "path": call.path,
            "api_version": call.api_version,
            "status": status,
        }
        self._journal.note_write(self.control.now(), entry, _properties(call))


def require_bearer(headers: Mapping[str, str]) -> None:
    """Any token will do, but there must be one."""
    if not headers.get("Authorization", "").lower().startswith("bearer "):
        raise Refusal(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
            {"WWW-Authenticate": 'Bearer authorization_uri="https://login.microsoftonline.com/"'},
        )


def require_version(query: Mapping[str, str]) -> None:
    """Any version will do, but there must be one."""
    if not query.get("api-version"):
        raise Refusal(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )


def response(reply: Reply) -> web.Response:
    if reply.body is None:
        return web.Response(status=reply.status, headers=reply.headers)
    return web.json_response(reply.body, status=reply.status, headers=reply.headers)


def _refuse_by_switch(switches: Switches, route: Route | None) -> None:
    if route is None:
        return
    if switches.refuse_writes and route.writes:
        code = "AuthorizationFailed" if switches.refuse_writes == 403 else "BadArgument"
        raise Refusal(switches.refuse_writes, code, "The write was refused.")
    if switches.refuse_reads and route.kind in _REFUSED_READS:
        raise Refusal(switches.refuse_reads, "AuthorizationFailed", "The read was refused.")


def _routed(method: str, path: str) -> tuple[Route | None, dict[str, str]]:
    found = ((route, _match(pattern, path)) for route, pattern in _TABLE if route.method == method)
    return next(((route, ids) for route, ids in found if ids is not None), (None, {}))


def _match(pattern: re.Pattern[str], path: str) -> dict[str, str] | None:
    found = pattern.fullmatch(re.sub("/{2,}", "/", path))
    return found.groupdict() if found else None


def _properties(call: Call) -> object:
    try:
        return call.document().get("properties")
    except Refusal:
        return None
