"""What is logged in a whole run: about what, in which form, and never a secret."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from rollout.adapters.azure.pipeline import ArmClient
from rollout.adapters.logs_out import FOREIGN, Blotter, JsonLines, Lines, configure
from rollout.engine import Engine
from rollout.errors import RolloutError, Unavailable
from rollout.settings import Settings
from rollout.signals import Silent
from rollout.watched import WatchedEngine, WatchedStore
from tests.simulation.world import CHURN, World

API_TOKEN = "api-token-4711-4711"
PROMETHEUS = "prometheus-0815-0815"
BEARER = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmVk"  # pragma: allowlist secret
SHARED_KEY = "c2hhcmVkLWtleS1wbGFudGVk"
GITHUB = "ghs_abcdefghijklmnopqrstuvwx"  # pragma: allowlist secret
ROOM = "services/T0123/B0123/rooms-own-path"
SIGNING = "signing-1234-1234"
REPORTING = "reporting-5678-5678"
PLACES = {
    "slack": {"room": {"url": f"https://slack.test/{ROOM}"}},
    "webhook": {"audit": {"url": f"https://audit.test/{ROOM}?x=1", "secret": SIGNING}},
    "github": {"app": {"token": REPORTING}},
}
SECRETS = (API_TOKEN, PROMETHEUS, BEARER, SHARED_KEY, GITHUB, ROOM, SIGNING, REPORTING)
FATAL = (
    f"no: {API_TOKEN} and {PROMETHEUS}; Authorization: Bearer {BEARER};"
    f" Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey={SHARED_KEY};"
    f" AccountKey={SHARED_KEY}; https://h/api?code={SHARED_KEY}&sig={SHARED_KEY}; {GITHUB};"
    f" POST /{ROOM} and /{ROOM}?x=1; {SIGNING}; {REPORTING}"
)


class Watched(World):
    def new_worker(self) -> Engine:
        made = super().new_worker()
        store: Any = WatchedStore(self.store, Silent())
        return WatchedEngine(store, made._queue, made._clock, made._looks, made._effects)


@pytest.fixture(params=["text", "json"])
def written(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Everything that is logged at debug level, in that form; then loggers are as before."""
    root, page = logging.getLogger(), io.StringIO()
    names = ("rollout", *FOREIGN)
    before = root.handlers, root.level, [logging.getLogger(name).level for name in names]
    root.handlers = [logging.StreamHandler(page)]
    settings = Settings(
        api_token=API_TOKEN,
        prometheus_token=PROMETHEUS,
        workspaces=(CHURN.in_workspace,),
        notify=json.dumps(PLACES),
    )
    blot = Blotter(settings.secret_texts)
    form: logging.Formatter = JsonLines(blot) if request.param == "json" else Lines(blot)
    configure(form, "debug")
    root.setLevel(logging.DEBUG)
    yield page
    root.handlers, level, levels = before
    root.setLevel(level)
    for name, old in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(old)


@pytest.fixture
def echo() -> Iterator[str]:
    """A server that says no, and repeats in its answer every header that it was sent."""

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"error": {"code": "No", "message": f"{self.headers} {FATAL}"}})
            self.send_response(500)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Planted:
    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken(BEARER, 4_000_000_000)


def test_no_secret_is_logged_in_a_whole_run(written: io.StringIO, echo: str) -> None:
    world = Watched()
    world.start()
    world.run(minutes=12)

    def fails(*_args: Any, **_kwargs: Any) -> Any:
        raise Unavailable(FATAL, timedelta(seconds=5))

    world.azure.read = fails  # type: ignore[method-assign]
    world.azure.set_traffic = fails  # type: ignore[method-assign]
    world.tell(world.alert())
    world.run(minutes=3)
    client = ArmClient(echo, Planted(), timedelta(seconds=5))
    try:
        client.send("GET", f"{echo}/x?code={SHARED_KEY}", "read")
    except RolloutError:
        logging.getLogger("rollout.test").exception("as a door would log it: %s", FATAL)
    finally:
        client.close()

    page = written.getvalue()
    assert [one for one in SECRETS if one in page] == []
    assert page.count("***") > 10
    assert "waits" in page
    assert "Traceback" in page


def test_every_line_of_engine_work_says_what_it_is_about(written: io.StringIO) -> None:
    world = Watched()
    world.start()
    world.run(minutes=12)
    rollout_id = world.rollout.id

    def fails(*_args: Any, **_kwargs: Any) -> Any:
        raise Unavailable("busy", timedelta(seconds=5))

    world.azure.set_traffic = fails  # type: ignore[method-assign]
    world.tell(world.alert())

    line = next(one for one in written.getvalue().splitlines() if "waits: busy" in one)
    if line.startswith("{"):
        told = json.loads(line)
        assert (told["endpoint"], told["rollout_id"], told["event_id"]) == (
            str(CHURN),
            rollout_id,
            "a1",
        )
        assert told["level"] == "warning"
    else:
        assert line.endswith(f"[endpoint={CHURN} event_id=a1 rollout_id={rollout_id}]")


def test_libraries_are_heard_from_warning_on(written: io.StringIO) -> None:
    for name in FOREIGN:
        logging.getLogger(f"{name}.deep.below").info("every header")
        logging.getLogger(f"{name}.deep.below").warning("trouble of %s", name)

    lines = written.getvalue()
    assert "every header" not in lines
    assert [one for one in FOREIGN if f"trouble of {one}" not in lines] == []


def test_what_was_worked_on_before_is_not_told_of_what_comes_after(written: io.StringIO) -> None:
    world = Watched()
    world.start()

    logging.getLogger("rollout.test").warning("of nobody")

    assert CHURN.name not in written.getvalue().splitlines()[-1]
