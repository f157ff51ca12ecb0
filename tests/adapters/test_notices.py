"""Every kind of place, against a real receiver: told, slow, failing, redirecting, private."""

import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from rollout.adapters.notices import PlacesByName
from rollout.adapters.outgoing import Outgoing
from rollout.core.letter import Link, RolloutLetter
from rollout.core.notify import Target, TargetKind, Targets, Topic
from rollout.core.rollout import Origin, Phase
from rollout.core.rotation.letter import KeyLetter
from rollout.core.rotation.state import RotationPhase
from rollout.errors import Refused, Unavailable
from tests.adapters.receiving import Receiver
from tests.fakes import NOON, FakeClock
from tests.simulation.key_world import ROTATION, KeyWorld
from tests.simulation.keys import KeyFaults

SECRET = "a secret of sixteen or more"  # pragma: allowlist secret
SHA = "ab" * 20


def a_letter(**details: Any) -> RolloutLetter:
    known: dict[str, Any] = {
        "id": "churn-1:4:webhook:audit",
        "topic": Topic.ROLLS_BACK,
        "at": NOON,
        "endpoint": "ml/churn",
        "endpoint_id": "/subscriptions/s/endpoints/churn",
        "rollout_id": "churn-1",
        "entry": 4,
        "canary": "green",
        "baseline": "blue",
        "phase": Phase.ROLLING_BACK,
        "stage": "canary 5 %",
        "who": "rollout",
        "sentence": "roll back: error rate 9 %, <!channel> [click](https://evil.example)",
        "numbers": ("error rate worse by +4.59% to +5.44%, 1.00% allowed",),
        "command": "rollout explain ml/churn",
        "links": (Link(title="rollout", url="https://rollout.example/api/rollouts/churn-1"),),
        "origin": Origin(repository="contoso/churn", commit=SHA),
    }
    return RolloutLetter.model_validate({**known, **details})


def a_key_letter(**details: Any) -> KeyLetter:
    known: dict[str, Any] = {
        "id": "churn-1:9:webhook:audit",
        "topic": Topic.ASKS,
        "at": NOON,
        "endpoint": "ml/churn",
        "endpoint_id": "/subscriptions/s/endpoints/churn",
        "rotation_id": "churn-1-keys-3",
        "entry": 9,
        "phase": RotationPhase.ASKING,
        "who": "rollout",
        "sentence": "ml-churn-key holds neither key of the endpoint, <!channel>",
        "numbers": ("the phase before took 0:12",),
        "command": "rollout keys resume ml/churn --in-use primary|secondary",
    }
    return KeyLetter.model_validate({**known, **details})


def places(receiver: Receiver, *, private: bool = True, seconds: float = 2) -> PlacesByName:
    url = f"{receiver.url}/secret-path"
    known = {
        "teams": {"room": {"url": url}},
        "slack": {"room": {"url": url}},
        "webhook": {"room": {"url": url, "secret": SECRET}},
        "github": {"room": {"url": receiver.url, "token": "gh-token"}},
    }
    outgoing = Outgoing(private=private, timeout=timedelta(seconds=seconds))
    return PlacesByName(outgoing, Targets.model_validate(known), FakeClock())


def to(kind: str, name: str = "room") -> Target:
    return Target(kind=TargetKind(kind), name=name)


KINDS = [kind.value for kind in TargetKind]


# -- what every kind keeps --------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_receiver_in_trouble_is_asked_again(receiver: Receiver, kind: str, status: int) -> None:
    receiver.answer = lambda _: web.Response(status=status)

    with pytest.raises(Unavailable, match=f"^{kind} room: it answers {status}$"):
        places(receiver).send(to(kind), a_letter())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_receiver_that_says_no_is_not(receiver: Receiver, kind: str, status: int) -> None:
    receiver.answer = lambda _: web.Response(status=status)

    with pytest.raises(Refused, match=f"{kind} room: it answers {status}; see its address"):
        places(receiver).send(to(kind), a_letter())


ODD = [b"ok", b"\xff", b"[" * 100_000, b'{"a":' * 40_000]


@pytest.mark.parametrize("kind", ["teams", "slack", "webhook"])
@pytest.mark.parametrize("body", ODD)
def test_whatever_a_receiver_writes_back_it_was_told(
    receiver: Receiver, kind: str, body: bytes
) -> None:
    receiver.answer = lambda _: web.Response(body=body)

    places(receiver).send(to(kind), a_letter())

    assert receiver.asked


@pytest.mark.parametrize("body", ODD)
def test_an_answer_that_names_no_deployment_is_asked_for_again(
    receiver: Receiver, body: bytes
) -> None:
    receiver.answer = lambda _: web.Response(body=body)

    with pytest.raises(Unavailable, match="github room: it names no deployment"):
        places(receiver).send(to("github"), a_letter())


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_receiver_is_left_in_time(receiver: Receiver, kind: str) -> None:
    receiver.delay, begun = 2.0, time.monotonic()

    with pytest.raises(Unavailable, match=rf"{kind} room: no answer \(not within 0.2 s\)"):
        places(receiver, seconds=0.2).send(to(kind), a_letter())

    assert time.monotonic() - begun < 1.5


@pytest.mark.parametrize("kind", KINDS)
def test_a_redirect_is_not_followed(receiver: Receiver, kind: str) -> None:
    receiver.answer = lambda _: web.Response(status=307, headers={"Location": "/elsewhere"})

    with pytest.raises(Refused, match=r"it redirects \(307\)") as caught:
        places(receiver).send(to(kind), a_letter())

    assert len(receiver.asked) == 1
    assert "secret-path" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_private_address_is_refused_before_anything_is_sent(
    receiver: Receiver, kind: str
) -> None:
    with pytest.raises(Refused, match="only https is asked") as caught:
        places(receiver, private=False).send(to(kind), a_letter())

    assert receiver.asked == []
    assert "secret-path" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_that_nobody_knows_is_refused_with_those_there_are(
    receiver: Receiver, kind: str
) -> None:
    with pytest.raises(Refused, match=f"no {kind} place 'rom'; there are: room; add it"):
        places(receiver).send(to(kind, "rom"), a_letter())


def test_an_address_that_is_none_is_not_repeated(receiver: Receiver) -> None:
    receiver.url = "no url: at all/"

    with pytest.raises(Refused) as caught:
        places(receiver).send(to("teams"), a_letter())

    assert "secret-path" not in str(caught.value)


# -- what each one says -----------------------------------------------------------------------


def test_teams_gets_a_card_in_which_a_reason_is_only_text(receiver: Receiver) -> None:
    places(receiver).send(to("teams"), a_letter())

    sent = json.loads(receiver.bodies[0])
    card = sent["attachments"][0]
    assert sent["type"] == "message"
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    texts = [one["text"] for one in card["content"]["body"] if one["type"] == "TextBlock"]
    assert texts[0] == "ml/churn: green is rolled back"
    assert texts[1].endswith("(click)(https://evil.example)")
    assert texts[2] == "• error rate worse by +4.59% to +5.44%, 1.00% allowed"
    assert card["content"]["actions"][0]["url"].endswith("/api/rollouts/churn-1")


def test_slack_gets_blocks_in_which_nobody_is_called(receiver: Receiver) -> None:
    places(receiver).send(to("slack"), a_letter())

    sent = json.loads(receiver.bodies[0])
    assert [block["type"] for block in sent["blocks"]] == [
        *("header", "section", "section", "context", "actions")
    ]
    assert sent["blocks"][0]["text"]["text"] == "ml/churn: green is rolled back"
    assert "&lt;!channel&gt;" in sent["blocks"][1]["text"]["text"]
    assert b"<!channel>" not in receiver.bodies[0]


def test_a_webhook_gets_a_signed_cloud_event_with_one_id(receiver: Receiver) -> None:
    for _ in range(2):
        places(receiver).send(to("webhook"), a_letter())

    body, headers = receiver.bodies[0], receiver.headers[0]
    sent = json.loads(body)
    shown = dict(part.split("=") for part in headers["X-Rollout-Signature"].split(","))
    signed = hmac.new(SECRET.encode(), f"{shown['t']}.".encode() + body, hashlib.sha256)
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert int(shown["t"]) == int(NOON.timestamp())
    assert hmac.compare_digest(shown["v1"], signed.hexdigest())
    assert (sent["specversion"], sent["type"]) == ("1.0", "rollout.rolls_back.v1")
    assert sent["id"] == json.loads(receiver.bodies[1])["id"] == "churn-1:4:webhook:audit"
    assert sent["data"]["sentence"].startswith("roll back: error rate 9 %")


def test_github_gets_a_status_and_one_deployment_however_often_it_is_told(
    receiver: Receiver,
) -> None:
    receiver.answer = receiver.github
    ended = {"topic": Topic.ENDED, "phase": Phase.PROMOTED}

    places(receiver).send(to("github"), a_letter(topic=Topic.STARTED, phase=Phase.PREPARING))
    places(receiver).send(to("github"), a_letter(**ended))

    root = "/repos/contoso/churn"
    told = [(f"{root}/statuses/{SHA}"), f"{root}/deployments/7/statuses"]
    states = [
        json.loads(body)["state"]
        for (method, path), body in zip(receiver.asked, receiver.bodies, strict=True)
        if method == "POST" and path in told
    ]
    assert states == ["pending", "in_progress", "success", "success"]
    assert [one["payload"] for one in receiver.deployments] == [{"rollout": "churn-1"}]
    assert receiver.headers[0]["Authorization"] == "Bearer gh-token"


def test_github_is_not_told_without_a_commit(receiver: Receiver) -> None:
    with pytest.raises(Refused, match="named no repository and commit"):
        places(receiver).send(to("github"), a_letter(origin=None))


# -- of keys ----------------------------------------------------------------------------------


def test_a_webhook_is_told_of_a_rotation_under_a_type_of_its_own(receiver: Receiver) -> None:
    places(receiver).send(to("webhook"), a_key_letter())

    sent = json.loads(receiver.bodies[0])
    assert (sent["type"], sent["subject"]) == ("rollout.keys.asks.v1", "churn-1-keys-3")
    assert sent["id"] == "churn-1:9:webhook:audit"
    assert sent["data"]["phase"] == "asking"
    assert sent["data"]["command"].endswith("--in-use primary|secondary")


def test_teams_and_slack_show_what_is_asked_of_whom_about_which_keys(receiver: Receiver) -> None:
    places(receiver).send(to("teams"), a_key_letter())
    places(receiver).send(to("slack"), a_key_letter())

    card = json.loads(receiver.bodies[0])["attachments"][0]["content"]
    assert card["body"][0]["text"] == "ml/churn: the rotation of its keys needs a person"
    assert card["body"][0]["color"] == "Attention"
    facts = next(one["facts"] for one in card["body"] if one["type"] == "FactSet")
    assert {one["title"]: one["value"] for one in facts} == {
        "rotation": "churn-1-keys-3",
        "phase": "asking",
        "who": "rollout",
    }
    blocks = json.loads(receiver.bodies[1])["blocks"]
    assert blocks[-1]["elements"][0]["text"] == (
        "churn-1-keys-3 · asking · rollout keys resume ml/churn --in-use primary|secondary"
    )
    assert b"<!channel>" not in receiver.bodies[1]


def test_github_is_told_of_no_keys(receiver: Receiver) -> None:
    with pytest.raises(Refused, match="named no repository and commit"):
        places(receiver).send(to("github"), a_key_letter())

    assert receiver.asked == []


def test_a_rotation_that_has_ended_is_told_over_http_with_no_key_in_it(receiver: Receiver) -> None:
    """The whole way: an engine that rotates, an outbox, and a receiver that checks signatures."""
    world = KeyWorld(faults=KeyFaults(operation=(1, 1), lands=(0, 0), refused=(0, 0)))
    world.policies.rotation = f"{ROTATION}  notify: [{{webhook: room}}]\n"  # type: ignore[attr-defined]
    world.send = places(receiver).send  # type: ignore[method-assign]
    keys = list(world.keys.keys.values())

    world.rotate()
    world.pass_time(60)
    world.clock.advance(timedelta(seconds=1))
    world._deliver()

    sent = [json.loads(body) for body in receiver.bodies]
    assert [one["type"] for one in sent] == ["rollout.keys.ended.v1"]
    assert sent[0]["data"]["sentence"].endswith("the rotation is over")
    assert receiver.headers[0]["X-Rollout-Signature"].startswith("t=")
    keys += world.keys.keys.values()
    assert not [key for key in keys if key.encode() in receiver.bodies[0]]
