"""Access tokens of Entra ID, really signed: which are taken, whom they name, and when keys come."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from rollout.adapters.azure.entra import ACTION_GROUPS, EntraTokens, Trust
from rollout.adapters.azure.signing_keys import (
    BYTES_MAX,
    FRESH_SECONDS,
    PAUSE_SECONDS,
    USABLE_SECONDS,
    SigningKeys,
)
from rollout.core.callers import Caller, Role
from rollout.errors import Denied, Unavailable
from tests.doors.entra import AUDIENCE, CLIENT, TENANT, Entra, public_pem, running


@pytest.fixture
def entra() -> Iterator[Entra]:
    with running() as stand_in:
        yield stand_in


@dataclass
class Reading:
    """The reader under test; `seconds` is its clock for keys."""

    entra: Entra
    seconds: float = 0.0
    reader: EntraTokens = field(init=False)

    def __post_init__(self) -> None:
        trust = Trust(TENANT, (AUDIENCE, CLIENT), self.entra.url)
        self.reader = EntraTokens(trust, SigningKeys(trust.keys_url, lambda: self.seconds))

    def read(self, token: str) -> Caller:
        return self.reader.read(token)


@pytest.fixture
def reading(entra: Entra) -> Reading:
    return Reading(entra)


# -- whom it names -------------------------------------------------------------------------------


def test_a_person_is_named_as_they_sign_in(reading: Reading, entra: Entra) -> None:
    caller = reading.read(entra.for_person(roles=["approver", "ml-leads"], groups=["g1"]))

    assert caller == Caller(
        "anna@contoso.com", frozenset({Role.APPROVER}), frozenset({"0a", "g1", "ml-leads"})
    )


def test_a_managed_identity_is_named_by_its_application(reading: Reading, entra: Entra) -> None:
    caller = reading.read(entra.token(preferred_username="anna@contoso.com"))

    assert (caller.name, caller.roles) == (f"app:{CLIENT}", frozenset({Role.OPERATOR}))


def test_tokens_of_version_1_are_taken_too(reading: Reading, entra: Entra) -> None:
    old: dict[str, Any] = {"azp": None, "appid": CLIENT, "aud": CLIENT}
    issuer = f"https://sts.windows.net/{TENANT}/"

    assert reading.read(entra.token(iss=issuer, **old)).name == f"app:{CLIENT}"


def test_the_action_group_may_send_alerts_and_nothing_else(reading: Reading, entra: Entra) -> None:
    caller = reading.read(entra.token(azp=ACTION_GROUPS, roles=["ActionGroupsSecureWebhook"]))

    assert caller.name == "Azure Monitor"
    assert [role for role in Role if caller.may(role)] == [Role.ALERTER]


@pytest.mark.parametrize("roles", [None, [], ["owner"], "admin", [1], {"admin": 1}])
def test_without_a_known_role_a_caller_may_nothing(
    reading: Reading, entra: Entra, roles: Any
) -> None:
    caller = reading.read(entra.for_person(roles=roles))

    assert not any(caller.may(role) for role in Role)


def test_a_name_with_line_breaks_is_not_kept(reading: Reading, entra: Entra) -> None:
    assert reading.read(entra.for_person("anna\r\nX: y")).name == "person:0a"


# -- which are refused ---------------------------------------------------------------------------


def _unsigned(header: dict[str, str], claims: dict[str, Any], key: bytes | None = None) -> str:
    """By hand: a library would not sign with a public key."""
    parts = [_text(json.dumps(part).encode()) for part in (header, claims)]
    told = ".".join(parts)
    mark = hmac.new(key, told.encode(), hashlib.sha256).digest() if key else b""
    return f"{told}.{_text(mark)}"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


_NOW = time.time()
# fmt: off
FORGED: dict[str, tuple[Callable[[Entra], str], str]] = {
    "expired":           (lambda e: e.token(exp=int(_NOW) - 61), "has expired"),
    "for another":       (lambda e: e.token(aud="api://other"), "it is not for api://rollout"),
    "no audience":       (lambda e: e.token(aud=None), "a claim is missing"),
    "another issuer":    (lambda e: e.token(iss="https://evil.example/v2.0"), "another tenant"),
    "another tenant":    (lambda e: e.token(tid=CLIENT), "of another tenant"),
    "not yet":           (lambda e: e.token(nbf=int(_NOW) + 86400), "not valid yet"),
    "issued tomorrow":   (lambda e: e.token(iat=int(_NOW) + 86400), "not valid yet"),
    "for ever":          (lambda e: e.token(exp=None), "a claim is missing"),
    "an ID token":       (lambda e: e.token(azp=None), "ID token"),
    "unknown key":       (lambda e: e.token(key="stranger"), "not one that Entra ID publishes"),
    "another's key":     (lambda e: e.token(key="stranger", kid="first"), "signature is not that"),
    "alg none":          (lambda e: _unsigned({"alg": "none", "kid": "first"}, e.claims()),
                          "signed with RS256"),
    "HS256, public key": (lambda e: _unsigned({"alg": "HS256", "kid": "first"}, e.claims(),
                                              public_pem("first")), "signed with RS256"),
    "alg of no kind":    (lambda e: _unsigned({"alg": "rs256", "kid": "first"}, e.claims()),
                          "signed with RS256"),
    "cut":               (lambda e: e.token()[:-10], "is not taken"),
    "not JSON":          (lambda _: "eyJhbGciOiJSUzI1NiJ9.e30x.AAAA", "is not taken"),
    "not ASCII":         (lambda _: "eyJ\u00e9.a.b", "is not taken"),
    "huge":              (lambda _: "eyJ" + "a" * 20_000 + ".a.b", "is not taken"),
}
# fmt: on


@pytest.mark.parametrize("kind", FORGED)
def test_a_token_that_is_not_right_is_refused_with_the_reason_and_without_itself(
    reading: Reading, entra: Entra, kind: str
) -> None:
    made, told = FORGED[kind]
    token = made(entra)

    with pytest.raises(Denied, match=told) as refused:
        reading.read(token)

    assert not any(part in str(refused.value) for part in token.split(".") if len(part) > 3)
    assert "invalid_token" in refused.value.challenge


def test_clocks_may_differ_by_a_minute(reading: Reading, entra: Entra) -> None:
    now = int(time.time())

    assert reading.read(entra.token(exp=now - 30))
    assert reading.read(entra.token(nbf=now + 30, iat=now + 30))


# -- the keys ------------------------------------------------------------------------------------


def test_keys_are_fetched_once_and_only_when_a_token_comes(reading: Reading, entra: Entra) -> None:
    assert entra.asked == []

    for _ in range(5):
        reading.read(entra.token())

    assert entra.asked == [f"/{TENANT}/discovery/v2.0/keys"]


def test_a_new_key_is_known_at_once_and_an_old_one_goes(reading: Reading, entra: Entra) -> None:
    reading.read(entra.token())
    entra.published = ["second"]
    reading.seconds += PAUSE_SECONDS + 1

    assert reading.read(entra.token("second"))
    with pytest.raises(Denied, match="not one that Entra ID publishes"):
        reading.read(entra.token("first"))


def test_a_key_that_is_withdrawn_counts_no_longer_than_a_day(
    reading: Reading, entra: Entra
) -> None:
    reading.read(entra.token())
    entra.published = ["second"]
    reading.seconds += FRESH_SECONDS + 1

    with pytest.raises(Denied):
        reading.read(entra.token("first"))


def test_unknown_keys_do_not_make_us_ask_again_and_again(reading: Reading, entra: Entra) -> None:
    reading.read(entra.token())
    for number in range(20):
        with pytest.raises(Denied):
            reading.read(entra.token(kid=f"unknown{number}"))

    assert len(entra.asked) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (302, b"{}"),
        (200, b"no json"),
        (200, b'{"keys": 7}'),
        (200, b'{"keys": []}'),
        (200, b"[]"),
        (200, b"\xff"),
        (200, b" " * (BYTES_MAX + 1)),
    ],
)
def test_without_keys_nobody_is_let_in_and_the_caller_may_ask_again(
    reading: Reading, entra: Entra, status: int, body: bytes
) -> None:
    entra.status, entra.body = status, body

    for _ in range(3):
        with pytest.raises(Unavailable, match="signing keys of Entra ID"):
            reading.read(entra.token())

    assert len(entra.asked) == 1
    entra.status, entra.body = 200, None
    reading.seconds += PAUSE_SECONDS + 1
    assert reading.read(entra.token())


def test_known_keys_serve_while_no_newer_ones_can_be_had_but_not_for_ever(
    reading: Reading, entra: Entra
) -> None:
    reading.read(entra.token())
    entra.status = 503
    reading.seconds += FRESH_SECONDS + 1
    assert reading.read(entra.token())

    reading.seconds = USABLE_SECONDS + 1
    with pytest.raises(Unavailable):
        reading.read(entra.token())
