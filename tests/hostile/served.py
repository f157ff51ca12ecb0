"""The API over a simulated world behind the real server, as a client anywhere finds it."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import azure.functions as func
import pytest

import function_app
from rollout import wiring
from rollout.adapters.clock import SystemClock
from rollout.adapters.sqlite.queue import SqliteQueue
from rollout.api import ROUTES, Api, Route
from rollout.host import Host, HostSettings

DEADLINE = 20


@contextmanager
def served(api: Api, folder: Path) -> Iterator[str]:
    """The URL at which it answers; each route by its own function, as on Azure."""
    app = func.FunctionApp(func.AuthLevel.ANONYMOUS)
    for route in ROUTES:
        _door(app, route)
    bus = SqliteQueue(folder / "queue.db", SystemClock())
    urls: queue.Queue[str] = queue.Queue()
    host = Host(app, bus, SystemClock(), HostSettings.read())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(wiring, "api", lambda: api)
        thread = threading.Thread(target=host.run, args=(0, urls.put))
        thread.start()
        try:
            yield urls.get(timeout=DEADLINE)
        finally:
            host.stop()
            thread.join(DEADLINE)
            bus.close()
    assert not thread.is_alive()


def _door(app: func.FunctionApp, route: Route) -> None:
    def door(req: func.HttpRequest) -> func.HttpResponse:
        return function_app._answer(route.name, req)

    door.__name__ = route.name
    app.route(route.path, methods=[route.method])(door)
