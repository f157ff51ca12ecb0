"""Hostile payloads, words and headers at every door: a clear no, and nothing has changed."""

import hashlib
import hmac
import http.client
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from rollout.api.limits import Buckets
from rollout.api.routes import ROUTES, Route
from rollout.core.policy_text import parse_policy
from rollout.errors import PolicyError
from tests.doors.callers import TOKEN, Caller, a_caller, read
from tests.fakes import FakeStore
from tests.hostile.corpus import WORDS, corpus
from tests.hostile.served import served
from tests.simulation.world import POLICY

SECRET = "a webhook's secret"
CORPUS = corpus()
WITH_BODY = [route for route in ROUTES if route.body]
GITHUB_EVENTS = ("workflow_run", "deployment", "deployment_status")
ALLOWED = {400, 404, 409, 413, 422}


class Guarded:
    """A caller, and everything that a request could have changed."""

    def __init__(self, folder: Path) -> None:
        secret = SecretStr(SECRET)
        self.folder = folder
        self.caller: Caller = a_caller(
            folder,
            POLICY,
            requests_per_minute=1_000_000,
            github_secret=secret,
            azure_devops_secret=secret,
        )
        self.caller.api = replace(self.caller.api, strangers=Buckets(1_000_000))
        self.known = dict(self.caller.headers)

    def state(self) -> object:
        world = self.caller.world
        files = {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
        store = world.store
        assert isinstance(store, FakeStore)
        heads = {key: held.head for key, held in store.heads.items()}
        return files, heads, dict(store.entries), world.azure.traffic

    def ask(self, route: Route, body: bytes, path: Any, event: str = "push") -> Any:
        sign = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        self.caller.headers = {
            **self.known,
            "x-hub-signature-256": f"sha256={sign}",
            "x-github-event": event,
            "x-github-delivery": "d-1",
            "x-rollout-secret": SECRET,
            "x-rollout-token": TOKEN,
        }
        return self.caller.ask(route.name, body, **path)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Guarded:
    return Guarded(tmp_path_factory.mktemp("hostile"))


PATH = {
    "ref": "churn",
    "name": "churn",
    "command": "pause",
    "verb": "abort",
    "queue": "steps",
    "id": "x",
}


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_body_is_refused_at_every_door_and_changes_nothing(
    guarded: Guarded, name: str
) -> None:
    before = guarded.state()

    for route in WITH_BODY:
        events = GITHUB_EVENTS if route.name == "take_github" else ("",)
        for event in events:
            answer = guarded.ask(route, CORPUS[name], PATH, event)
            _check_refused(answer, f"{route.name} {event}")

    assert guarded.state() == before


def _check_refused(answer: Any, where: str) -> None:
    """A clear no; or, of a webhook, the reason why it starts nothing."""
    told = read(answer)
    if answer.status == 202:
        assert told.keys() == {"decided"}, where
        return
    assert answer.status in ALLOWED, f"{where}: {answer.status} {answer.body[:300]!r}"
    assert told["detail"], where
    assert len(answer.body) < 10_000, where
    assert all(sign.isprintable() or sign == "\n" for sign in told["detail"]), where


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_text_is_no_policy_and_no_attachment(guarded: Guarded, name: str) -> None:
    text = CORPUS[name].decode("utf-8", "replace")
    before = guarded.state()

    with pytest.raises(PolicyError):
        parse_policy(text, "hostile")
    body = json.dumps({"text": text}).encode()
    route = next(route for route in ROUTES if route.name == "push_policy")
    _check_refused(guarded.ask(route, body, PATH), name)

    assert guarded.state() == before


@pytest.mark.parametrize("word", WORDS, ids=ascii)
def test_a_hostile_name_leads_nowhere(guarded: Guarded, word: str) -> None:
    before = guarded.state()
    push = json.dumps({"text": POLICY, "attachments": {}}).encode()

    for route in ROUTES:
        words = [one for one in PATH if f"{{{one}}}" in route.path]
        for one in words:
            body = push if route.name == "push_policy" else b"{}"
            answer = guarded.ask(route, body, {**PATH, one: word})
            _check_refused(answer, f"{route.name} {one}")

    assert guarded.state() == before


@pytest.mark.parametrize("word", [word for word in WORDS if word != "\ud800"], ids=ascii)
def test_an_attachment_stays_in_the_folder_of_policies(tmp_path: Path, word: str) -> None:
    guarded = Guarded(tmp_path)
    route = next(route for route in ROUTES if route.name == "push_policy")
    body = json.dumps(
        {"text": POLICY, "attachments": {"a/first": "x", word: "y", "z/../../x": "z"}}
    ).encode()

    answer = guarded.ask(route, body, PATH)

    assert answer.status in ALLOWED
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["churn.yaml"]


# -- over the wire -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def url(guarded: Guarded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(guarded.caller.api, tmp_path_factory.mktemp("host")) as told:
        yield told


def _raw(url: str, request: bytes) -> tuple[int, bytes]:
    """The answer to exactly these bytes."""
    line = http.client.HTTPConnection(str(urlsplit(url).netloc), timeout=10)
    line.connect()
    assert line.sock is not None
    line.sock.sendall(request)
    answer = http.client.HTTPResponse(line.sock)
    answer.begin()
    content = answer.read()
    line.close()
    return answer.status, content


_HEAD = b"POST /api/rollouts HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
# fmt: off
WIRE: dict[str, bytes] = {
    "two lengths":      b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunks": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length":  b"Content-Length: -1\r\n\r\n{}",
    "odd chunk":        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "folded header":    b"X-A: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "NUL in a header":  b"X-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "CR in a header":   b"X-A: a\rb\r\nContent-Length: 2\r\n\r\n{}",
    "a huge header":    b"X-A: " + b"a" * 100_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    "two hosts":        b"Host: evil.example\r\nContent-Length: 2\r\n\r\n{}",
    "another method":   b"X-HTTP-Method-Override: DELETE\r\nContent-Length: 2\r\n\r\n{}",
    "not JSON":         b"Content-Type: text/xml\r\nContent-Length: 3\r\n\r\n<a>",
}
# fmt: on


@pytest.mark.parametrize("kind", WIRE)
def test_a_hostile_request_is_refused_and_the_server_goes_on(
    guarded: Guarded, url: str, kind: str
) -> None:
    before = guarded.state()

    status, _ = _raw(url, _HEAD % TOKEN.encode() + WIRE[kind])

    assert 400 <= status < 500, status
    assert guarded.state() == before
    assert _raw(url, b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/api/about",
        "/api/../function_app.py",
        "/api/%2e%2e/%2e%2e/etc/passwd",
        "/api/policies/..%2f..%2fpyproject",
        "/api/policies/%00",
        "/api/policies/%ff%fe",
    ],
)
def test_a_path_that_leads_out_finds_nothing(guarded: Guarded, url: str, path: str) -> None:
    asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"

    status, content = _raw(url, asked.encode())

    assert status in {400, 403, 404}
    assert b"root:" not in content
    assert b"hatchling" not in content


def test_what_a_word_injects_is_no_header(guarded: Guarded, url: str) -> None:
    path = "/api/rollouts/a%0d%0aSet-Cookie:%20x=1"
    asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    line = http.client.HTTPConnection(str(urlsplit(url).netloc), timeout=10)
    line.connect()
    assert line.sock is not None
    line.sock.sendall(asked.encode())
    answer = http.client.HTTPResponse(line.sock)
    answer.begin()

    assert answer.status == 400
    assert answer.getheader("Set-Cookie") is None
    line.close()


def test_no_preflight_opens_a_door_for_a_foreign_page(url: str) -> None:
    asked = (
        b"OPTIONS /api/rollouts HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\n"
        b"Access-Control-Request-Method: POST\r\n\r\n"
    )

    status, content = _raw(url, asked)

    assert status == 403
    assert b"evil.example" in content


def test_the_corpus_is_whole() -> None:
    assert len(CORPUS) >= 60
    assert all(len(content) < 1_000_000 for content in CORPUS.values())


def test_a_forged_address_does_not_hide_whence_a_guess_comes(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path)
    guarded.caller.api = replace(guarded.caller.api, strangers=Buckets(60))

    with served(guarded.caller.api, tmp_path) as url:
        statuses = [
            _raw(
                url,
                b"GET /api/about HTTP/1.1\r\nHost: 127.0.0.1\r\nx-forwarded-for: 10.0.0.%d\r\n\r\n"
                % number,
            )[0]
            for number in range(62)
        ]

    assert statuses[:60] == [401] * 60
    assert 429 in statuses[60:]
