"""One thread that runs a server's events, and takes work from other threads."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from proton import Event, Handler
from proton.reactor import ApplicationEvent, Container, EventInjector

from tests.broker.server import Server

HOST = "127.0.0.1"
TICK = 0.02
PATIENCE = 10.0

_T = TypeVar("_T")


class Reactor(Handler):
    """Listens from `start` to `end`; meanwhile `do` runs something on its thread."""

    def __init__(self, server: Server, port: int) -> None:
        super().__init__()
        self._server = server
        self._port = port
        self._container = Container(self, server)
        self._injector = EventInjector()
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._listening: Future[Any] = Future()
        self._died: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._listening.result(PATIENCE)

    def end(self) -> None:
        """Cut all connections and stop; raises what the server itself died of."""
        if self._died is None:
            self.do(self._close)
        self._thread.join(PATIENCE)
        if self._died:
            raise self._died

    def do(self, work: Callable[[Server], _T]) -> _T:
        """What the work answers, done on the server's thread."""
        answer: Future[_T] = Future()

        def run() -> None:
            try:
                answer.set_result(work(self._server))
            except BaseException as error:  # noqa: BLE001 - it is raised where it was asked
                answer.set_exception(error)

        if self._died:
            raise RuntimeError("the broker died") from self._died
        self._work.put(run)
        self._injector.trigger(ApplicationEvent("work"))
        return answer.result(PATIENCE)

    def _run(self) -> None:
        try:
            self._container.selectable(self._injector)
            self._container.run()
        except BaseException as error:  # noqa: BLE001 - told by `end`
            self._died = error
            if not self._listening.done():
                self._listening.set_exception(error)

    def _close(self, server: Server) -> None:
        self._listening.result().close()
        server.cut()
        self._injector.close()
        self._container.stop()

    def on_reactor_init(self, event: Event) -> None:
        self._listening.set_result(self._container.listen(f"{HOST}:{self._port}"))
        self._container.schedule(TICK, self)

    def on_timer_task(self, _event: Any) -> None:
        self._server.serve()
        self._container.schedule(TICK, self)

    def on_work(self, _event: Any) -> None:
        while not self._work.empty():
            self._work.get()()
