"""All that a controller tells anybody: answers, commands, files, its log, and its traces."""

import gzip
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from rollout.api import ROUTES
from tests.journeys.controller import Controller

ANSWER_MAX = 1_000_000
READ_SECONDS = 3.0
"""So long a stream of events is listened to."""
ANSWER_SECONDS = 30.0
COMMANDS = (
    ("keys", "status"),
    ("keys", "status", "{name}", "--json"),
    ("keys", "explain", "{name}"),
    ("keys", "explain", "{name}", "--json"),
    ("keys", "history", "{name}"),
    ("audit", "export"),
    ("doctor", "--json"),
)


def told(controller: Controller, name: str) -> Mapping[str, bytes]:
    """By its place; the file of the secrets alone is left out."""
    backup = controller.data.with_name(f"{controller.data.name}-backup.db")
    saved = controller.cli("backup", "--data", str(controller.data), str(backup))
    assert saved.returncode == 0, saved.stderr
    files = [one for one in (backup, *controller.data.rglob("*")) if one.is_file()]
    return {
        **{str(path): path.read_bytes() for path in files if path.name != "secrets.json"},
        "the log": controller.log.encode(),
        **dict(_answers(controller, name)),
        **dict(_commands(controller, name)),
    }


def _answers(controller: Controller, name: str) -> Iterator[tuple[str, bytes]]:
    """Of every door that may be read."""
    token = (controller.data / "token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    readable = [route for route in ROUTES if route.method == "GET"]
    assert {"list_keys", "show_keys", "keys_history"} <= {route.name for route in readable}
    for route in readable:
        path = route.path.replace("{ref}", name).replace("{name}", "keys")
        url = f"{controller.url}/api/{path}"
        seconds = READ_SECONDS if route.events else ANSWER_SECONDS
        with requests.get(url, headers=headers, timeout=seconds, stream=True) as answer:
            yield f"GET {path}", _read(answer)


def _read(answer: requests.Response) -> bytes:
    """A stream of events has no end: what it told by then counts."""
    body = b""
    try:
        for part in answer.iter_content(4096):
            body += part
            if len(body) > ANSWER_MAX:
                break
    except requests.RequestException:
        pass
    return body


def _commands(controller: Controller, name: str) -> Iterator[tuple[str, bytes]]:
    for words in COMMANDS:
        asked = [word.format(name=name) for word in words]
        done = controller.cli(*asked)
        assert done.stdout, done.stderr
        yield " ".join(asked), (done.stdout + done.stderr).encode()


@contextmanager
def a_collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector of traces and metrics: its address, and what it was told."""
    heard: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()
