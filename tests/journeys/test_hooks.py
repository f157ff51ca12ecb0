"""Hooks over HTTP: one that says no, one that never answers, and a rollback that asks neither."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web

from tests.adapters.receiving import Receiver, a_site
from tests.journeys.conftest import StageMaker
from tests.journeys.policies import GUARDS
from tests.journeys.scripts import BETTER
from tests.journeys.stage import Stage, live

pytestmark = pytest.mark.journey

FEW = 10
SIGNED_BY = "sixteen or more of the journey"
START, FIRST, SECOND = live(blue=100), live(blue=80, green=20), live(blue=50, green=50)
HOOKED = f"""
schema: 1
match: {{endpoint: "*"}}
hooks: [{{confirm: board}}]
stages:
  - canary: {{weight: 20, shortest_minutes: 600, longest_minutes: 700}}
  - canary:
      weight: 50
      shortest_minutes: 600
      longest_minutes: 700
      hooks: [{{before: board}}, {{confirm: board, timeout_seconds: 3, retries: 1}}]
on_no_data: {{hold_minutes: 600, then: hold}}
{GUARDS}"""


@contextmanager
def asked_first(a_stage: StageMaker) -> Iterator[tuple[Stage, Receiver]]:
    """A rollout whose first share the hook has let in."""
    with a_site() as site:
        stage = a_stage(HOOKED, up=False, green=BETTER)
        place = {"board": {"url": f"{site.url}/hook", "secret": SIGNED_BY}}
        stage.controller.variables = {
            "ROLLOUT_NOTIFY": json.dumps({"webhook": place}),
            "ROLLOUT_OUTGOING_PRIVATE": "true",
        }
        stage.controller.start()
        with stage.visited(FEW) as users:
            assert stage.start("green").status_code == 201
            stage.eventually(lambda: stage.at("canary 20 %"))
            assert questions(site.now) == ["canary 20 %"]
            yield stage, site.now
        assert not users.failed


def sent(hook: Receiver) -> list[dict[str, object]]:
    return [json.loads(body) for body in hook.bodies]


def questions(hook: Receiver) -> list[object]:
    """Before which stages it was asked."""
    return [
        one["data"]["stage"]  # type: ignore[index]
        for one in sent(hook)
        if one["type"] == "rollout.confirm.v1"
    ]


def waits_for_a_person(stage: Stage) -> bool:
    return bool(stage.view.get("needs_person"))


def test_a_veto_keeps_the_share_until_a_person_goes_on_in_spite_of_it(a_stage: StageMaker) -> None:
    with asked_first(a_stage) as (stage, hook):
        hook.answer = lambda _: web.json_response({"approve": False, "reason": "load test red"})
        stage.order("skip")
        stage.eventually(lambda: waits_for_a_person(stage))
        vetoed, kept = stage.view, stage.map
        resumed = stage.controller.cli("resume", stage.name, "--why", "seen it", "--as", "berta")
        stage.eventually(lambda: stage.at("canary 50 %"))
        stage.eventually(lambda: "rollout.before.v1" in [one["type"] for one in sent(hook)])

    assert vetoed["waits_for"] == "hook board says no to canary 50 %: load test red"
    assert vetoed["remedy"].startswith(f"rollout retry {vetoed['endpoint']}")
    assert kept == FIRST
    assert resumed.returncode == 0, resumed.stderr
    assert stage.writes == [FIRST, SECOND]
    told = [(one["who"], one["numbers"].get("answer")) for one in stage.history]
    assert ("hook board", "veto") in told
    stage.assert_whole()


def test_no_answer_holds_and_an_abort_waits_for_none(a_stage: StageMaker) -> None:
    with asked_first(a_stage) as (stage, hook):
        hook.delay = 20.0
        stage.order("skip")
        stage.eventually(lambda: waits_for_a_person(stage))
        silent, tries = stage.view, [one["id"] for one in sent(hook)][1:]
        stage.order("retry")
        stage.eventually(lambda: len(questions(hook)) > 3)
        begun = time.monotonic()

        aborted = stage.order("abort")

        took = time.monotonic() - begun
        stage.eventually(lambda: stage.outcome() == "aborted")

    why = "hook board does not answer to canary 50 %: asked 2 times: hook board: no answer"
    assert silent["waits_for"].startswith(why)
    assert len(tries) == 2
    assert len(set(tries)) == 1
    assert aborted.status_code == 200
    assert took < 2
    assert stage.writes == [FIRST, START]
    stage.assert_whole()
