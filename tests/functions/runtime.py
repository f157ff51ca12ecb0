"""Microsoft's runtime on one deployed folder: a process that is asked as the platform asks it."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from threading import Lock, Thread
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("worker.py")
INVOCATION_SECONDS = 60.0
STOP_SECONDS = 20.0

JSON = dict[str, Any]


def functions_python() -> Path:
    """The Python that has Microsoft's runtime; a missing one fails the test."""
    path = ROOT / os.environ.get("ROLLOUT_FUNCTIONS_PYTHON", ".venv-functions/bin/python")
    assert path.exists(), f"{path} is missing: run `make setup` (or set ROLLOUT_FUNCTIONS_PYTHON)"
    return path


def datum(kind: str, value: object) -> JSON:
    return {"type": kind, "value": value}


def raw(content: bytes) -> JSON:
    return datum("bytes", base64.b64encode(content).decode())


def _property(value: object) -> JSON:
    return datum("string", value) if isinstance(value, str) else datum("json", json.dumps(value))


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP function answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Invoked:
    """How an invocation ended: one that failed is given back to the queue, or is answered 500."""

    ok: bool
    error: str | None
    http: Answer | None

    @property
    def answer(self) -> Answer:
        assert self.http is not None, self.error
        return self.http


@dataclass(frozen=True, slots=True)
class Indexed:
    """A function as the runtime tells the platform of it."""

    name: str
    id: str
    bindings: list[JSON]
    retries: bool

    @property
    def trigger(self) -> JSON:
        [found] = [one for one in self.bindings if one["type"].endswith("Trigger")]
        return found


class IndexingFailed(Exception):
    """The runtime said no: on Azure the app would have no function at all."""


class WorkerEnded(ConnectionError):
    """The process is gone, and with it all that ran in it."""


@dataclass
class Runtime:
    """One worker process; any number of threads may invoke."""

    process: subprocess.Popen[str]
    log: IO[str]
    _waiting: dict[int, "Future[JSON]"] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _lock: Lock = field(default_factory=Lock)
    _ended: bool = False

    @cached_property
    def functions(self) -> Mapping[str, Indexed]:
        """Read once, before the first invocation."""
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline() or "{}")
        if "functions" not in told:
            raise IndexingFailed(told.get("failure") or self.told())
        Thread(target=self._listen, daemon=True).start()
        return {one["name"]: Indexed(**one) for one in told["functions"]}

    def told(self) -> str:
        """What it has logged."""
        return os.pread(self.log.fileno(), 1_000_000, 0).decode(errors="replace")

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith("\n"):  # it was killed while it wrote
                break
            answer = json.loads(line)
            self._waiting.pop(answer["number"]).set_result(answer)
        with self._lock:
            self._ended = True
        for left in self._waiting.values():
            left.set_exception(WorkerEnded())

    def invoke(self, name: str, inputs: JSON, metadata: JSON) -> Invoked:
        asked: Future[JSON] = Future()
        function = self.functions[name].id
        with self._lock:
            if self._ended:
                raise WorkerEnded
            number = next(self._numbers)
            self._waiting[number] = asked
            line = {"number": number, "function": function, "inputs": inputs, "metadata": metadata}
            self._write(json.dumps(line) + "\n")
        told = asked.result(INVOCATION_SECONDS)
        http = told.get("http")
        if http:
            http = Answer(http["status"], http["headers"], base64.b64decode(http["body"]))
        return Invoked(told["ok"], told["error"], http)

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except BrokenPipeError as gone:
            raise WorkerEnded from gone

    # -- as each trigger does it -----------------------------------------------------------------

    def message(self, name: str, body: JSON, **about: Any) -> Invoked:
        """One message of a queue; `about` are a message's own properties, as Azure names them."""
        known = {"MessageId": "m", "DeliveryCount": 1, "UserProperties": {}, **about}
        metadata = {key: _property(value) for key, value in known.items()}
        return self.invoke(name, {self._argument(name): body}, metadata)

    def tick(self, name: str, *, past_due: bool = False) -> Invoked:
        told = datum("json", json.dumps({"IsPastDue": past_due}))
        return self.invoke(name, {self._argument(name): told}, {})

    def ask(
        self,
        name: str,
        method: str,
        url: str,
        body: bytes = b"",
        *,
        params: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Invoked:
        """One request of an HTTP function."""
        given = {"headers": headers, "params": params, "query": query}
        request = {
            "method": datum("string", method),
            "url": datum("string", url),
            "body": raw(body),
            **{
                part: {key: datum("string", value) for key, value in (some or {}).items()}
                for part, some in given.items()
            },
        }
        return self.invoke(name, {self._argument(name): datum("http", request)}, {})

    def _argument(self, name: str) -> str:
        return str(self.functions[name].trigger["name"])

    def kill(self) -> None:
        """Kill it as `kill -9` does: what runs never ends, and whoever waits for it is told."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """As the platform does: no more is asked, and what runs is finished."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):  # what a dead one has not read
            self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        finally:
            self.process.stdout.close()
            self.log.close()


@contextmanager
def running_runtime(folder: Path, log: Path, **settings: str) -> Iterator[Runtime]:
    """The runtime on that folder, whose only settings of ours are these."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ROLLOUT_")}
    kept.pop("PYTHONPATH", None)
    with log.open("a+") as said:
        runtime = Runtime(
            subprocess.Popen(
                [str(functions_python()), "-P", str(WORKER)],
                cwd=folder,
                env={**kept, **settings},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            ),
            said,
        )
        try:
            yield runtime
        finally:
            runtime.stop()
