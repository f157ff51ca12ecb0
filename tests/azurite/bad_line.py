"""A line to Azurite that may be busy, forbid, or lose an answer; it counts what goes through."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Sent:
    """One request on the line."""

    method: str
    path: str
    body: bytes

    def is_about(self, table: str) -> bool:
        """Whether it is a request to that table, alone or in a transaction."""
        name = rf"/{table}(?![a-z0-9-])"
        return bool(re.search(name, self.path) or re.search(name.encode(), self.body))


@dataclass
class Fault:
    """What happens to the next requests that match: an answer instead, a lost one, or a call."""

    matches: Callable[[Sent], bool]
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    loses_the_answer: bool = False
    before: Callable[[], object] | None = None


@dataclass
class BadLine:
    """Requests since the last look, and the faults to come."""

    url: str = ""
    sent: list[Sent] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def told(self) -> list[str]:
        """What went through since it was asked last: table and container names by verb."""
        told = [f"{one.method} {_target(one)}" for one in self.sent]
        self.sent.clear()
        return told

    def fault_of(self, sent: Sent) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.matches(sent):
                fault.times -= 1
                return fault
        return None


_OF_THE_CONNECTION = {"content-length", "transfer-encoding", "connection", "keep-alive"}


def _target(sent: Sent) -> str:
    for name in ("rollouthints", "rollout", "rollout-samples", "rollout-evidence"):
        if sent.is_about(name):
            return name
    return urlsplit(sent.path).path.split("/")[2]


@contextmanager
def bad_line(place: str) -> Iterator[BadLine]:
    """A line to the service at that address."""
    line = BadLine()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0),
        type("Handler", (_Handler,), {"line": line, "netloc": urlsplit(place).netloc}),
    )
    server.daemon_threads = True
    line.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield line
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, each request of it passed on by one of ours."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    line: BadLine
    netloc: str

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sent = Sent(self.command, self.path, body)
        self.line.sent.append(sent)
        fault = self.line.fault_of(sent)
        if fault and fault.before:
            fault.before()
        elif fault and not fault.loses_the_answer:
            self._answer(fault.status, fault.headers, b"")
            return
        status, headers, answer = self._forward(body)
        if fault and fault.loses_the_answer:
            self.close_connection = True
        else:
            self._answer(status, headers, answer)

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(self.netloc)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
