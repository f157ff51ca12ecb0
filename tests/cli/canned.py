"""A small real HTTP server that speaks the controller's API from canned state."""

import json
import re
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from rollout.api import ROUTES

TOKEN = "the-canned-token"

Reply = tuple[int, Any]


@dataclass
class Request:
    method: str
    path: str
    query: str
    body: Any
    key: str | None
    place: str | None = None


@dataclass
class Canned:
    """Answers by (method, path) below /api; a list of answers is given one after the other."""

    replies: dict[tuple[str, str], deque[Reply]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    token: str = TOKEN
    is_healthy: bool = False
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def says(self, method: str, path: str, *bodies: Any, status: int = 200) -> None:
        """Answer so; the last answer is given again and again."""
        self.replies[method, path] = deque((status, body) for body in bodies)

    def refuses(self, method: str, path: str, status: int, detail: str) -> None:
        problem = {"type": "about:blank", "title": "No", "status": status, "detail": detail}
        self.says(method, path, problem, status=status)

    def shows(self, views: Iterable[Any], history: Iterable[Any] = ()) -> None:
        """One rollout, as it looks from one GET to the next, by endpoint and by id."""
        told = list(views)
        self.says("GET", f"rollouts/{told[0]['id']}", *told)
        for name in ("churn", "contoso~churn"):
            self.says("GET", f"rollouts/{name}", told[0])
        entries = list(history)
        self.says("GET", f"rollouts/{told[0]['id']}/history", {"entries": entries})

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        wrong = _objection(request)
        if wrong:
            return 400, {"title": "Malformed", "detail": wrong}
        found = self.replies.get((request.method, request.path))
        if found is None:
            return 404, {"title": "Not found", "detail": f"nothing is called {request.path}"}
        status, body = found.popleft() if len(found) > 1 else found[0]
        if request.path.endswith("/history"):
            after = int(request.query.rpartition("=")[2])
            body = {"entries": [one for one in body["entries"] if one["number"] > after]}
        return status, body

    def start(self) -> None:
        """Listen; after a stop on the same port as before."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self.port = self._server.server_port
        serve = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        serve.start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _objection(request: Request) -> str:
    """What the real controller's table of routes has against a request."""
    for route in ROUTES:
        path = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route.path))
        if route.method == request.method and re.fullmatch(path, request.path):
            known = {query.name for query in route.query}
            if unknown := parse_qs(request.query).keys() - known:
                return f"{route.path} knows no {unknown}"
            if request.key and not route.once:
                return f"{route.path} takes no Idempotency-Key"
            if route.body:
                route.body.model_validate(request.body)
            return ""
    return f"no route {request.method} {request.path}"


def _handler(canned: Canned) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/api/health" and canned.is_healthy:
                self._send(200, {"status": "ok"})
                return
            if self.headers.get("Authorization") != f"Bearer {canned.token}":
                self._send(401, {"title": "Unauthorized", "detail": "the token is not right"})
                return
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            path = unquote(parts.path).removeprefix("/api/")
            key = self.headers.get("Idempotency-Key")
            place = self.headers.get("Last-Event-ID")
            asked = Request(self.command, path, parts.query, body, key, place)
            self._send(*canned.answer(asked))

        do_GET = do_POST = do_PUT = do_DELETE = handle_one  # noqa: N815

        def _send(self, status: int, body: Any) -> None:
            content = b"" if body is None else json.dumps(body).encode()
            kind = "application/problem+json" if status >= 400 else "application/json"
            if isinstance(body, str):
                content, kind = body.encode(), "text/event-stream"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler
