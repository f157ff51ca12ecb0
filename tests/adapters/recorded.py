"""A server on this machine that gives recorded answers and keeps what it was asked."""

import json
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from azure.core.credentials import AccessToken

from rollout.core.endpoint import EndpointId

PAYLOADS = Path(__file__).parent.parent / "payloads" / "azure"
TOKEN = "eyJhbGciOi.super-secret.token"
CHURN = EndpointId(subscription="s1", resource_group="ml-team", workspace="scoring", name="churn")
ENDPOINT_PATH = CHURN.arm_id


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def failed(code: str, message: str) -> Any:
    return {"error": {"code": code, "message": message}}


class TokenOfNobody:
    """Always the same secret, which must be found in no text."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(TOKEN, 4_000_000_000)


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0  # so many bytes of what is announced never come


@dataclass(frozen=True)
class Asked:
    """One request as it came: the target letter for letter."""

    method: str
    target: str
    headers: Message
    body: bytes
    client: tuple[str, int] = ("", 0)
    """Its connection: a request that comes over another one has another port."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0].lower()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Recorded:
    """Replies in order, by method and lower-cased path; the last one stays."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.url = f"http://{address[0]}:{address[1]}"
        self.asked: list[Asked] = []
        self._replies: defaultdict[tuple[str, str], deque[Reply]] = defaultdict(deque)

    def give(self, method: str, path: str, *replies: Reply) -> None:
        self._replies[method, path.lower()].extend(replies)

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        replies = self._replies[asked.method, asked.path]
        if not replies:
            return Reply(404, failed("ResourceNotFound", f"nothing recorded for {asked.path}"))
        return replies.popleft() if len(replies) > 1 else replies[0]

    def sent(self, method: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == method]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Who asked has gone: that is what some tests are about."""


@contextmanager
def recorded() -> Iterator[Recorded]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = served.answer(
                Asked(self.command, self.path, self.headers, body, self.client_address)
            )
            raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            content = b"" if reply.status == 204 else raw
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) - reply.cut])
            self.close_connection |= bool(reply.cut)

        do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = _do  # noqa: N815 - the server's names

        def log_message(self, *_: object) -> None: ...

    server = _Server(("127.0.0.1", 0), Handler)
    served = Recorded(("127.0.0.1", server.server_address[1]))
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
