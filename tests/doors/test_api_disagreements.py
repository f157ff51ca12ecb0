"""The answers of two deployments, shown over HTTP where they differ."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.doors.callers import Caller, a_caller
from tests.measuring.models import TEXT, Models, recorded
from tests.simulation.world import POLICY


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return a_caller(tmp_path, POLICY)


def asked(caller: Caller, text: str = TEXT) -> dict[str, Any]:
    models = Models(wrong=lambda n: n % 7 == 0)
    caller.world.policies.text, caller.world.policies.recorded = text, recorded(500)
    caller.world.equipped(scoring=models)
    caller.world.start()
    caller.world.run(minutes=60)
    answer = caller.ask("rollout_disagreements", ref="churn")
    assert answer.status == 200
    told: dict[str, Any] = json.loads(answer.body)
    return told


def test_where_the_answers_differ_is_shown_when_it_is_over(caller: Caller) -> None:
    told = asked(caller)

    assert told["requests"] == "samples/churn.jsonl"
    assert told["compared"] == told["sent"] >= 100
    assert told["compared"] / 5 > told["differing"] > told["compared"] / 10
    assert len(told["disagreements"]) == min(20, told["differing"])
    assert all(int(one["request"][1:]) % 7 == 0 for one in told["disagreements"])
    assert all(one["canary"].startswith("sha256:") for one in told["disagreements"])


def test_the_answers_themselves_are_shown_where_the_policy_keeps_them(caller: Caller) -> None:
    told = asked(
        caller, TEXT.replace("per_minute: 60", "per_minute: 60, keep: 3, keep_answers: true")
    )

    assert told["answers_kept"]
    assert len(told["disagreements"]) == 3
    assert {one["canary"] for one in told["disagreements"]} == {"3"}
    assert all(
        one["baseline"] == str(int(one["request"][1:]) % 10) for one in told["disagreements"]
    )


def test_a_policy_that_compares_nothing_says_so(caller: Caller) -> None:
    caller.start()

    told = json.loads(caller.ask("rollout_disagreements", ref="churn").body)

    assert (told["requests"], told["sent"], told["disagreements"]) == (None, 0, [])
