"""Smoke requests: what a person expects of an answer, and what is said when it is otherwise."""

import json
from typing import Any

import pytest

from rollout.core.smoke import SHOWN_MAX, parse_smoke
from rollout.errors import PolicyError


def objection(answer: Any, expect: dict[str, Any], status: int = 200) -> str | None:
    line = json.dumps({"body": 1, "within_ms": 50, "expect": expect})
    (request,) = parse_smoke(line, "smoke.jsonl")
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return request.objection(status, 20, content)


def test_an_answer_as_expected_meets_no_objection() -> None:
    answer = {"digits": [3, 8], "model": {"name": "v2", "sure": True}}

    assert objection(answer, {}) is None
    assert objection(answer, {"digits.1": 8, "model.name": "v2", "model.sure": True}) is None
    assert objection(answer, {"digits": [3.0, 8]}) is None
    assert objection(b"ham", {}) is None


@pytest.mark.parametrize(
    ("answer", "expect", "told"),
    [
        ({"digits": [3]}, {"digits.0": 8}, "3 at digits.0, not 8"),
        ({"sure": 1}, {"sure": True}, "1 at sure, not true"),
        ({"a": 1}, {"b": 1}, "the answer has nothing at b"),
        (b"ham", {"a": 1}, "the answer is no JSON"),
        ({"a": "x" * 500}, {"a": "y"}, f'"{"x" * (SHOWN_MAX - 1)}… at a, not "y"'),
    ],
)
def test_another_answer_is_told_with_its_place(
    answer: Any, expect: dict[str, Any], told: str
) -> None:
    assert objection(answer, expect) == told


def test_the_status_comes_before_the_answer() -> None:
    assert objection({"a": 1}, {"a": 2}, status=424) == "status 424, not 200"


def test_a_path_that_is_none_is_refused_with_its_line() -> None:
    with pytest.raises(PolicyError, match=r"smoke.jsonl:1: expect"):
        parse_smoke('{"body": 1, "expect": {"a..b": 1}}', "smoke.jsonl")
