"""A Service Bus on this machine, for tests: AMQP 1.0 that Microsoft's own SDK talks to."""

import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Self, TypeVar

from tests.broker.queues import BrokerQueue, QueueSpec, Refusal
from tests.broker.reactor import HOST, Reactor
from tests.broker.server import Faults, Server

QUEUES = {"steps": QueueSpec(), "events": QueueSpec(sessions=False)}

_T = TypeVar("_T")


class Broker:
    """Its handle: start and stop it, move its time, and make it misbehave.

    State outlives a stop. Every method may be called from any thread.
    """

    def __init__(
        self,
        queues: Mapping[str, QueueSpec] = QUEUES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.port = _free_port()
        self._now = now
        self._ahead = timedelta(0)
        self._queues = {name: _queue(name, spec) for name, spec in queues.items()}
        self._faults = Faults()
        self._server = Server(self._queues, self._faults, self.now)
        self._reactor: Reactor | None = None

    @property
    def connection_string(self) -> str:
        return (
            f"Endpoint=sb://{HOST}:{self.port};SharedAccessKeyName=local;"
            "SharedAccessKey=nobody;UseDevelopmentEmulator=true;"
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._reactor = Reactor(self._server, self.port)
        self._reactor.start()

    def stop(self) -> None:
        """Cut all connections and listen no more; raises what the broker itself died of."""
        reactor, self._reactor = self._reactor, None
        if reactor:
            reactor.end()

    # -- what a test may do to it ----------------------------------------------------------------

    def now(self) -> datetime:
        return self._now() + self._ahead

    def advance(self, by: timedelta) -> None:
        """Let time pass at once."""
        self._ahead += by
        self.settle()

    def settle(self) -> None:
        """Return when everything that is due has been done."""
        self._do(Server.serve)

    def lose_session(self, queue: str, session: str) -> None:
        """Take a session's lock from whoever holds it."""

        def lose(server: Server) -> None:
            server.lose(self._queues[queue].lose(session))
            server.serve()

        self._do(lose)

    def bury(self, queue: str, message_id: str) -> None:
        """Make a dead letter of a message."""
        self._do(lambda _: self._queues[queue].bury(message_id))

    def cut(self) -> None:
        """Break every connection, without a word."""
        self._do(Server.cut)

    def refuse_sends(self, condition: str | None, why: str = "on command") -> None:
        """Answer every send with that AMQP condition; None: take them again."""
        self._faults.refuse_sends = Refusal(condition, why, 503) if condition else None

    def refuse_tokens(self, *, refused: bool = True) -> None:
        self._faults.refuse_tokens = refused

    def forget(self) -> None:
        """Be empty: no message, no dead letter, no known id."""
        self._do(Server.forget)

    # -- what a test may see ---------------------------------------------------------------------

    def messages(self, queue: str) -> list[str | None]:
        """The ids of all that is in a queue, whether lent out or waiting for its time."""
        return self._do(lambda _: [one.sent.id for one in self._queues[queue].peek(0, 10_000)])

    def dead(self, queue: str) -> list[str | None]:
        """The ids of its dead letters."""
        dead = self._queues[queue].dead
        assert dead
        return self._do(lambda _: [one.sent.id for one in dead.peek(0, 10_000)])

    def next_session(self, queue: str) -> tuple[bool, str | None]:
        """Whether a message is free and due, and of which session the first one is."""
        return self._do(lambda _: self._queues[queue].next_session())

    def is_held(self, queue: str, session: str) -> bool:
        return self._do(lambda _: session in self._queues[queue].held)

    def next_due(self, queue: str) -> datetime | None:
        return self._do(lambda _: self._queues[queue].next_due())

    @property
    def connections(self) -> int:
        return self._do(lambda server: len(server.connections))

    def _do(self, work: Callable[[Server], _T]) -> _T:
        return self._reactor.do(work) if self._reactor else work(self._server)


def _queue(name: str, spec: QueueSpec) -> BrokerQueue:
    below = f"{name}/$DeadLetterQueue"
    grave = QueueSpec(sessions=False, lock=spec.lock)
    return BrokerQueue(name, spec, BrokerQueue(below, grave))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
