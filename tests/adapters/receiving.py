"""A real HTTP server on this machine, where notices, hooks and whatever else is sent arrive."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request], web.Response]


@dataclass
class Receiver:
    """Keeps what it is sent, and answers as it is told to."""

    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    answer: Answer = lambda _: web.Response(status=202)
    delay: float = 0.0
    deployments: list[dict[str, Any]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.asked.append((request.method, request.path))
        self.bodies.append(body)
        self.headers.append(request.headers)
        if self.delay:
            await asyncio.sleep(self.delay)
        return self.answer(request)

    def github(self, request: web.Request) -> web.Response:
        """As much of GitHub as a report asks for."""
        if request.path.endswith("/deployments") and request.method == "POST":
            made = {"id": 7 + len(self.deployments), **json.loads(self.bodies[-1])}
            self.deployments.append(made)
            return web.json_response(made, status=201)
        if request.path.endswith("/deployments"):
            return web.json_response(self.deployments)
        return web.json_response({}, status=201)


@dataclass
class Site:
    """One server for many tests: `now` is the receiver that takes what comes."""

    url: str = ""
    now: Receiver = field(default_factory=Receiver)

    def cleared(self) -> Receiver:
        self.now = Receiver(url=self.url)
        return self.now


@contextmanager
def a_site() -> Iterator[Site]:
    site, ready, over = Site(), Event(), Event()

    async def take(request: web.Request) -> web.Response:
        return await site.now.take(request)

    async def serve() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await asyncio.to_thread(over.wait)
        await runner.cleanup()

    thread = Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    ready.wait(10)
    site.cleared()
    try:
        yield site
    finally:
        over.set()
        thread.join(10)
