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

ANSWER_SECONDS = 30.0
EVERYTHING = {"last": "1000", "wait": "0"}
"""Of the events: all that were told, and not those to come."""
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
        asked = EVERYTHING if route.events else {}
        answer = requests.get(url, asked, headers=headers, timeout=ANSWER_SECONDS)
        yield f"GET {path}", answer.content


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
