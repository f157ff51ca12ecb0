"""The HTTP functions behind a server that only this machine can reach."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Executor
from urllib.parse import urlsplit

import azure.functions as func
from aiohttp import web
from pydantic_core import to_json

from rollout.addresses import LOOPBACK
from rollout.host.doors import HttpDoor

ADDRESS = "127.0.0.1"
BODY_MAX = 1024 * 1024
PROBLEM_JSON = "application/problem+json"

log = logging.getLogger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def web_app(doors: Iterable[HttpDoor], prefix: str, threads: Executor) -> web.Application:
    """An application with one route for each function and method; functions run on the threads."""
    app = web.Application(client_max_size=BODY_MAX, middlewares=[_own_words, _at_home])
    for door in sorted(doors, key=_precedence):
        for method in door.methods:
            app.router.add_route(method, f"/{prefix}/{door.route}", _handler(door, threads))
    return app


def _precedence(door: HttpDoor) -> tuple[bool, ...]:
    """As on Azure, what is written out goes before what is a parameter."""
    return tuple(part.startswith("{") for part in door.route.split("/"))


def _handler(door: HttpDoor, threads: Executor) -> _Handler:
    async def handle(request: web.Request) -> web.Response:
        asked = func.HttpRequest(
            request.method,
            str(request.url),
            headers={**request.headers, "X-Forwarded-For": request.remote or ""},
            params=dict(request.query),
            route_params=dict(request.match_info),
            body=await request.read(),
        )
        loop = asyncio.get_running_loop()
        try:
            running = loop.run_in_executor(threads, lambda: door.call(**{door.argument: asked}))
        except RuntimeError as ending:  # the threads take no more
            raise web.HTTPServiceUnavailable from ending
        return _response(await running)

    return handle


def _response(told: func.HttpResponse) -> web.Response:
    headers = dict(told.headers.items())
    if told.get_body() and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = f"{told.mimetype}; charset={told.charset}"
    return web.Response(status=told.status_code, headers=headers, body=told.get_body() or None)


# -- who may ask: this machine's own programs, and pages that it served itself -------------------


@web.middleware
async def _at_home(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Refuse what a foreign page sends through a browser: a foreign Host, a foreign Origin."""
    host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
    if _hostname(f"//{host}") not in LOOPBACK:
        return _problem(403, "A foreign Host", f"{host[:100]!r} is not this machine: ask 127.0.0.1")
    if origin is not None and origin.lower() != f"http://{host}".lower():
        return _problem(403, "A foreign Origin", f"{origin[:100]!r} may not ask this controller")
    return await handler(request)


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


@web.middleware
async def _own_words(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """What the server itself says no to is a problem like any other; a fault is logged."""
    try:
        return await handler(request)
    except web.HTTPException as no:
        kept = {name: no.headers[name] for name in ("Allow",) if name in no.headers}
        return _problem(no.status, no.reason, f"{request.method} {request.path}", kept)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return _problem(500, "A fault of the controller", "see the controller's log")


def _problem(
    status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return web.Response(
        status=status, body=to_json(body), content_type=PROBLEM_JSON, headers=headers
    )
