"""Plays the platform's host: doors as the runtime tells them, invocations in the runtime's process.

HTTP, timers and the pump of messages are those of the local host; what they call is not our code
in this process but a function in a worker that runs what is deployed. `Storage` is the seam: what
the app is told of its storage, and the receiving side of its queue.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue as Mailbox
from threading import Thread
from typing import Any, cast

import azure.functions as func

from rollout.adapters.clock import SystemClock
from rollout.adapters.sqlite.queue import SqliteQueue
from rollout.host import Host, HostSettings
from rollout.host.pump import Receiver
from tests.functions.runtime import Indexed, Invoked, Runtime, raw, running_runtime

READY_SECONDS = 60.0
STOP_SECONDS = 60.0


class InvocationFailed(Exception):
    """The function raised: the message goes back to its queue, the caller is answered 500."""


@dataclass(frozen=True, slots=True)
class RemoteFunction:
    """A function as the runtime has indexed it; a call of it is an invocation."""

    runtime: Runtime
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
                return _response(self._ask(given))
            case func.ServiceBusMessage():
                _checked(self._take(given))
            case func.TimerRequest():
                _checked(self.runtime.tick(self.indexed.name, past_due=given.past_due))
        return None

    def _ask(self, asked: func.HttpRequest) -> Invoked:
        return self.runtime.ask(
            self.indexed.name,
            asked.method,
            asked.url,
            asked.get_body(),
            params=dict(asked.route_params),
            query=dict(asked.params),
            headers=dict(asked.headers.items()),
        )

    def _take(self, message: func.ServiceBusMessage) -> Invoked:
        return self.runtime.message(
            self.indexed.name,
            raw(message.get_body()),
            MessageId=message.message_id,
            SessionId=message.session_id,
            DeliveryCount=message.delivery_count,
        )


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
    """What the local host asks of a function app."""

    runtime: Runtime

    def get_functions(self) -> list[RemoteFunction]:
        return [RemoteFunction(self.runtime, one) for one in self.runtime.functions.values()]


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the app keeps its state and its messages."""

    settings: Mapping[str, str]
    receiver: Receiver
    close: Callable[[], None]


def embedded(data: Path, clock: SystemClock) -> Storage:
    """The store and the queue of one machine, shared with the worker's process."""
    queue = SqliteQueue(data / "rollout.db", clock)
    return Storage({"ROLLOUT_DATA": str(data)}, queue, queue.close)


@contextmanager
def running_platform(
    package: Path, log: Path, storage: Storage, clock: SystemClock, **settings: str
) -> Iterator[str]:
    """Serve the deployed package, and tell where."""
    with running_runtime(package, log, **{**storage.settings, **settings}) as runtime:
        known = HostSettings.read(package / "host.json")
        app = cast("Any", RemoteApp(runtime))
        host = Host(app, storage.receiver, clock, known)
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
            storage.close()
            assert not thread.is_alive(), "the platform did not end"


def _run(host: Host, ready: "Mailbox[str | BaseException]") -> None:
    try:
        host.run(0, ready.put)
    except BaseException as error:
        ready.put(error)
        raise
