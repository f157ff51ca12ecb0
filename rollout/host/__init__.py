"""Runs the functions of a function app on one machine: HTTP, queues and timers."""

import asyncio
import json
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import azure.functions as func
from aiohttp import web

from rollout import wiring
from rollout.errors import Malformed, Unavailable
from rollout.host.doors import Door, HttpDoor, QueueDoor, TimerDoor, read_doors
from rollout.host.pump import Pump, Receiver
from rollout.host.server import ADDRESS, web_app
from rollout.host.timers import Timer, check_schedule
from rollout.ports import Clock
from rollout.wakes import EVENTS_QUEUE, STEPS_QUEUE

HOST_JSON = Path(__file__).parents[2] / "host.json"
HTTP_THREADS = 16
QUEUES = {"STEPS_QUEUE": STEPS_QUEUE, "EVENTS_QUEUE": EVENTS_QUEUE}
LEASE = timedelta(seconds=15)
LAST_WORDS = timedelta(seconds=1)
"""So long a stop waits for answers to be written, when all functions have finished."""


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What the platform would take from host.json and the app's settings."""

    names: Mapping[str, str] = field(default_factory=lambda: dict(QUEUES))
    prefix: str = "api"
    sessions: int = 8
    lease: timedelta = LEASE

    @classmethod
    def read(cls, path: Path = HOST_JSON) -> "HostSettings":
        extensions: dict[str, Any] = json.loads(path.read_text())["extensions"]
        return cls(
            prefix=extensions["http"]["routePrefix"],
            sessions=extensions["serviceBus"]["maxConcurrentSessions"],
        )


class Host:
    """Runs an app's functions, as the app's own metadata binds them, until it is stopped."""

    def __init__(
        self, app: func.FunctionApp, queue: Receiver, clock: Clock, settings: HostSettings
    ) -> None:
        self._doors: tuple[Door, ...] = read_doors(app, settings.names)
        for door in self._of(TimerDoor):
            check_schedule(door)
        self._queue = queue
        self._clock = clock
        self._settings = settings
        self._asked_to_stop = threading.Event()
        self._wake_up: Callable[[], object] = lambda: None

    def run(self, port: int, on_ready: Callable[[str], None]) -> None:
        """Serve on that port of the loopback address (0: a free one) and tell the URL.

        Returns after `stop`, SIGTERM or SIGINT, when the functions that run have finished.
        """
        try:
            asyncio.run(self._run(port, on_ready))
        finally:
            self._wake_up = lambda: None

    def stop(self) -> None:
        """Ask it to end; any thread may."""
        self._asked_to_stop.set()
        self._wake_up()

    def _of(self, kind: type[Any]) -> list[Any]:
        return [door for door in self._doors if isinstance(door, kind)]

    async def _run(self, port: int, on_ready: Callable[[str], None]) -> None:
        stopping = self._stopping()
        queues, timers = self._of(QueueDoor), self._of(TimerDoor)
        steps = max(1, len(queues) * self._settings.sessions + len(timers))
        with ThreadPoolExecutor(HTTP_THREADS) as asked, ThreadPoolExecutor(steps) as driven:
            runner = await self._listen(port, asked)
            try:
                async with asyncio.TaskGroup() as group:
                    for door in queues:
                        pump = Pump(door, self._queue, self._clock, driven, self._settings.lease)
                        group.create_task(pump.run(stopping, self._settings.sessions))
                    for door in timers:
                        group.create_task(Timer(door, self._clock, driven).run(stopping))
                    on_ready(f"http://{ADDRESS}:{runner.addresses[0][1]}")
                    await stopping.wait()
                    for site in list(runner.sites):
                        await site.stop()
                    await asyncio.to_thread(asked.shutdown)
            finally:
                await runner.cleanup()

    async def _listen(self, port: int, threads: ThreadPoolExecutor) -> web.AppRunner:
        app = web_app(self._of(HttpDoor), self._settings.prefix, threads)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=LAST_WORDS.total_seconds())
        await runner.setup()
        try:
            await web.TCPSite(runner, ADDRESS, port).start()
        except OSError as error:
            raise Unavailable(
                f"port {port} of {ADDRESS}: {error.strerror}; end what uses it, or take another"
            ) from error
        return runner

    def _stopping(self) -> asyncio.Event:
        """Set when it is time to end; a second signal ends at once, as without us."""
        stopping, loop = asyncio.Event(), asyncio.get_running_loop()
        self._wake_up = lambda: loop.call_soon_threadsafe(stopping.set)
        if self._asked_to_stop.is_set():
            stopping.set()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._signalled, loop, stopping)
        return stopping

    @staticmethod
    def _signalled(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
        stopping.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def serve(*, port: int, on_ready: Callable[[str], None]) -> None:
    """Run this product's own functions on this machine, on its embedded store and queue.

    Raises Malformed that names each wrong setting before anything listens.
    """
    if wiring.settings().service_bus:
        raise Malformed(
            "ROLLOUT_SERVICE_BUS is set, and `rollout up` runs on its embedded queue: unset it, or"
            " run the app in Azure Functions"
        )
    wiring.api()
    app = import_module("function_app").app
    Host(app, wiring.embedded_queue(), wiring.clock(), HostSettings.read()).run(port, on_ready)
