"""Plays the platform's host: doors as the runtime tells them, invocations in the runtime's process.

HTTP and timers are those of the local host, messages come by Microsoft's SDK; what they call is not
our code in this process but a function in a worker that runs what is deployed.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Queue as Mailbox
from threading import Thread
from typing import Any, cast

import azure.functions as func

from rollout.adapters.clock import SystemClock
from rollout.host import Host, HostSettings
from tests.broker.pump import Delivered, Pump
from tests.functions.runtime import Indexed, Invoked, WorkerEnded, raw, running_runtime
from tests.platform.instance import Instance
from tests.platform.storage import Storage

READY_SECONDS = 60.0
STOP_SECONDS = 60.0
WORKER_ENDED = 502


class InvocationFailed(Exception):
    """The function raised: the message goes back to its queue, the caller is answered 500."""


@dataclass(frozen=True, slots=True)
class RemoteFunction:
    """A function as the runtime has indexed it; a call of it is an invocation."""

    instance: Instance
    indexed: Indexed

    def get_function_name(self) -> str:
        return self.indexed.name

    def get_raw_bindings(self) -> list[str]:
        return [json.dumps(one) for one in self.indexed.bindings]

    def get_user_function(self) -> Callable[..., func.HttpResponse | None]:
        return lambda **given: self._invoke(*given.values())

    def _invoke(self, given: object) -> func.HttpResponse | None:
        match given:
            case func.HttpRequest():
                return self._answer(given)
            case func.TimerRequest():
                name, late = self.indexed.name, given.past_due
                _checked(self.instance.runtime.tick(name, past_due=late))
        return None

    def _answer(self, asked: func.HttpRequest) -> func.HttpResponse:
        """Whoever asked a worker that died meanwhile is told by the platform itself."""
        try:
            return _response(self._ask(asked))
        except WorkerEnded:
            return func.HttpResponse(b"the worker ended", status_code=WORKER_ENDED)

    def _ask(self, asked: func.HttpRequest) -> Invoked:
        return self.instance.runtime.ask(
            self.indexed.name,
            asked.method,
            asked.url,
            asked.get_body(),
            params=dict(asked.route_params),
            query=dict(asked.params),
            headers=dict(asked.headers.items()),
        )


@dataclass(frozen=True, slots=True)
class QueueFunction:
    """A function to which a queue is bound."""

    instance: Instance
    indexed: Indexed
    queue: str

    @property
    def has_sessions(self) -> bool:
        return bool(self.indexed.trigger.get("isSessionsEnabled"))

    def take(self, body: bytes, about: Delivered) -> None:
        invoked = self.instance.runtime.message(
            self.indexed.name,
            raw(body),
            MessageId=about.id,
            SessionId=about.session,
            DeliveryCount=about.count,
        )
        _checked(invoked)


def _checked(invoked: Invoked) -> Invoked:
    if not invoked.ok:
        raise InvocationFailed(invoked.error)
    return invoked


def _response(invoked: Invoked) -> func.HttpResponse:
    answer = _checked(invoked).answer
    headers = dict(answer.headers)
    return func.HttpResponse(answer.body, status_code=answer.status, headers=headers)


@dataclass(frozen=True, slots=True)
class RemoteApp:
    """What the local host asks of a function app; its queues are the pumps' part."""

    instance: Instance

    def get_functions(self) -> list[RemoteFunction]:
        return [RemoteFunction(self.instance, one) for one in self._indexed if not _queue_of(one)]

    def queue_functions(self, known: HostSettings) -> list[QueueFunction]:
        bound = [(one, _queue_of(one)) for one in self._indexed]
        return [
            QueueFunction(self.instance, one, known.names[name.strip("%")])
            for one, name in bound
            if name
        ]

    @property
    def _indexed(self) -> list[Indexed]:
        return list(self.instance.runtime.functions.values())


def _queue_of(function: Indexed) -> str | None:
    return cast("str | None", function.trigger.get("queueName"))


@dataclass(frozen=True, slots=True)
class Platform:
    """One app that is served: where it answers, and the instance it runs on."""

    url: str
    instance: Instance
    pumps: list[Pump]


@contextmanager
def running_platform(
    package: Path, log: Path, storage: Storage, clock: SystemClock, **settings: str
) -> Iterator[Platform]:
    """Serve the deployed package."""
    own = {**storage.settings, **settings}
    known = HostSettings.read(package / "host.json")
    with ExitStack() as stack:
        begin = partial(running_runtime, package, log, **own)
        instance = stack.enter_context(Instance(begin))
        app = RemoteApp(instance)
        url = stack.enter_context(_serving(app, clock, known))
        pumps = [storage.pump(one, known.sessions) for one in app.queue_functions(known)]
        stack.callback(_stop, pumps)
        yield Platform(url, instance, pumps)


@contextmanager
def _serving(app: RemoteApp, clock: SystemClock, known: HostSettings) -> Iterator[str]:
    """HTTP and timers."""
    no_queue: Any = None
    host = Host(cast("Any", app), no_queue, clock, known)
    ready: Mailbox[str | BaseException] = Mailbox()
    thread = Thread(target=_run, args=(host, ready))
    thread.start()
    try:
        found = ready.get(timeout=READY_SECONDS)
        if isinstance(found, BaseException):
            raise found
        yield found
    finally:
        host.stop()
        thread.join(STOP_SECONDS)
        assert not thread.is_alive(), "the platform did not end"


def _run(host: Host, ready: "Mailbox[str | BaseException]") -> None:
    try:
        host.run(0, ready.put)
    except BaseException as error:
        ready.put(error)
        raise


def _stop(pumps: list[Pump]) -> None:
    for pump in pumps:
        pump.ask_to_stop()
    for pump in pumps:
        pump.stop()
