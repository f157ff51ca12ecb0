"""What every way to ask hooks promises, on each of them."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from aiohttp import web

from rollout.adapters.notices import PlacesByName
from rollout.adapters.outgoing import Outgoing
from rollout.core.notify import Targets
from rollout.core.rollout import HookWord
from rollout.errors import Refused, Unavailable
from rollout.notice_ports import HookAnswer, HookPlaces
from tests.adapters.receiving import a_site
from tests.builders import a_question_to
from tests.fakes import FakeClock, FakeHooks

NO = {"approve": False, "reason": "the load test failed"}


@dataclass
class Hooks:
    """An implementation that knows the hook `board`, and how to make it say something."""

    port: HookPlaces
    says: Callable[[HookWord | None], None]
    ids: Callable[[], list[str]]


def _in_memory(_: ExitStack) -> Hooks:
    fake = FakeHooks({"stranger": Refused("the settings know no webhook place 'stranger'")})

    def says(word: HookWord | None) -> None:
        reason = NO["reason"] if word is HookWord.VETO else ""
        said = HookAnswer(word, str(reason)) if word else Unavailable("hook board: no answer")
        fake.says["board"] = said

    return Hooks(fake, says, lambda: [question_id for _, question_id in fake.asked])


def _over_http(stack: ExitStack) -> Hooks:
    site = stack.enter_context(a_site())
    known = {"webhook": {"board": {"url": f"{site.url}/path", "secret": "0123456789abcdef"}}}
    places = PlacesByName(Outgoing(private=True), Targets.model_validate(known), FakeClock())

    def says(word: HookWord | None) -> None:
        body = NO if word is HookWord.VETO else {"approve": True}
        site.now.answer = lambda _: web.json_response(body, status=200 if word else 503)

    def ids() -> list[str]:
        return [json.loads(body)["id"] for body in site.now.bodies]

    return Hooks(places, says, ids)


@pytest.fixture(params=[_in_memory, _over_http])
def hooks(request: pytest.FixtureRequest) -> Iterator[Hooks]:
    with ExitStack() as stack:
        yield request.param(stack)


def test_a_yes_is_go(hooks: Hooks) -> None:
    hooks.says(HookWord.GO)

    assert hooks.port.ask(a_question_to("board"), "q1") == HookAnswer(HookWord.GO)


def test_a_no_is_a_veto_with_its_reason(hooks: Hooks) -> None:
    hooks.says(HookWord.VETO)

    answer = hooks.port.ask(a_question_to("board"), "q1")

    assert answer == HookAnswer(HookWord.VETO, "the load test failed")


def test_no_answer_is_worth_another_try_under_the_same_id(hooks: Hooks) -> None:
    hooks.says(None)
    with pytest.raises(Unavailable, match="hook board"):
        hooks.port.ask(a_question_to("board"), "q1")
    hooks.says(HookWord.GO)

    hooks.port.ask(a_question_to("board"), "q1")

    assert hooks.ids() == ["q1", "q1"]


def test_a_hook_that_nobody_knows_is_not(hooks: Hooks) -> None:
    with pytest.raises(Refused, match="the settings know no webhook place 'stranger'"):
        hooks.port.ask(a_question_to("stranger"), "q1")
