"""A question to a hook over HTTP: signed, short, guarded, and what each answer means."""

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from aiohttp import web

from rollout.adapters.notices import PlacesByName
from rollout.adapters.outgoing import Outgoing
from rollout.core.notify import Targets
from rollout.core.rollout import HookWord
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.notice_ports import HookAnswer
from tests.adapters.receiving import Receiver
from tests.builders import a_question_to
from tests.fakes import NOON, FakeClock

SECRET = "a secret of sixteen or more"  # pragma: allowlist secret
HIDDEN = "path-that-is-a-secret"


def ask(receiver: Receiver, *, private: bool = True, **details: Any) -> HookAnswer:
    known = {"webhook": {"board": {"url": f"{receiver.url}/{HIDDEN}", "secret": SECRET}}}
    places = PlacesByName(Outgoing(private=private), Targets.model_validate(known), FakeClock())
    return places.ask(a_question_to("board", **details), "churn-1:4:9:0")


def test_the_question_is_a_signed_cloud_event_with_what_is_to_begin(receiver: Receiver) -> None:
    ask(receiver)

    sent, shown = json.loads(receiver.bodies[0]), receiver.headers[0]
    assert (sent["type"], sent["id"]) == ("rollout.confirm.v1", "churn-1:4:9:0")
    assert sent["subject"] == "churn-1"
    assert sent["data"] == {
        "endpoint": "ml/churn",
        "rollout_id": "churn-1",
        "hook": "board",
        "canary": "green",
        "baseline": "blue",
        "stage": "canary 25 %",
        "traffic": {"live": {"blue": 95, "green": 5}, "mirror": {}},
        "timeout_seconds": 5,
        "retries": 3,
    }
    seconds = int(NOON.timestamp())
    signed = f"{seconds}.".encode() + receiver.bodies[0]
    right = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert shown["X-Rollout-Signature"] == f"t={seconds},v1={right}"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, '{"approve": true}', HookAnswer(HookWord.GO)),
        (200, '{"approve": true, "reason": "fine\\n now"}', HookAnswer(HookWord.GO, "fine now")),
        (204, "", HookAnswer(HookWord.GO)),
        (202, "accepted", HookAnswer(HookWord.GO)),
        (200, '{"ok": true}', HookAnswer(HookWord.GO)),
        (200, '{"approve": false}', HookAnswer(HookWord.VETO)),
        (201, '{"approve": false, "reason": "no"}', HookAnswer(HookWord.VETO, "no")),
        (403, "", HookAnswer(HookWord.VETO, "it answers 403")),
        (409, '{"reason": "quota"}', HookAnswer(HookWord.VETO, "quota")),
        (409, '{"reason": 7}', HookAnswer(HookWord.VETO, "it answers 409")),
    ],
)
def test_what_each_answer_means(
    receiver: Receiver, status: int, body: str, said: HookAnswer
) -> None:
    receiver.answer = lambda _: web.Response(status=status, text=body)

    assert ask(receiver) == said


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_trouble_is_asked_again(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: web.Response(status=status)

    with pytest.raises(Unavailable, match=f"^hook board: it answers {status}$"):
        ask(receiver)


@pytest.mark.parametrize("status", [301, 401, 404])
def test_what_is_no_answer_is_not_taken_for_one(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: web.Response(status=status, headers={"Location": "/elsewhere"})

    with pytest.raises(Refused, match=r"^hook board: ") as refused:
        ask(receiver)

    assert HIDDEN not in str(refused.value)
    assert len(receiver.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        *('{"approve": "yes"}', '{"approve": null}', '{"approve": 1}'),
        *('{"approve": fal', ' {"approve": False}', '{"approve":' * 20_000),
    ],
)
def test_an_answer_that_nearly_says_yes_is_none(receiver: Receiver, body: str) -> None:
    receiver.answer = lambda _: web.Response(text=body)

    with pytest.raises(Refused, match="its answer is not"):
        ask(receiver)


def test_a_long_reason_is_cut_to_one_short_line(receiver: Receiver) -> None:
    receiver.answer = lambda _: web.json_response({"approve": False, "reason": "a\x1b[31m\n" * 500})

    reason = ask(receiver).reason

    assert len(reason) == 200
    assert reason.isprintable()


def test_a_slow_hook_is_left_at_its_own_time(receiver: Receiver) -> None:
    receiver.delay, begun = 4.0, time.monotonic()

    with pytest.raises(Unavailable, match=r"hook board: no answer \(not within 1 s\)"):
        ask(receiver, timeout_seconds=1)

    assert time.monotonic() - begun < 3


def test_a_private_address_is_asked_only_where_the_settings_allow_it(receiver: Receiver) -> None:
    with pytest.raises(RolloutError, match="hook board: ") as refused:
        ask(receiver, private=False)

    assert isinstance(refused.value, Refused)
    assert receiver.asked == []
