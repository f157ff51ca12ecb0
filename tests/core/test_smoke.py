"""Smoke requests: what is expected of an answer, what is said of another, how far they came."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from rollout.core.actions import RunSmoke
from rollout.core.head import Debt
from rollout.core.smoke import (
    FAILURE_TEXT_MAX,
    FAILURES_MAX,
    SHOWN_MAX,
    Smoked,
    SmokeRequest,
    gone_on,
    parse_smoke,
)
from rollout.errors import PolicyError
from tests.builders import MINUTE, SECOND, an_endpoint
from tests.fakes import NOON


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


# -- how far they came -------------------------------------------------------------------------


def requests(*bodies: int) -> Sequence[SmokeRequest]:
    return parse_smoke("\n".join(f'{{"body": {body}}}' for body in bodies), "smoke.jsonl")


def smoked(file: Sequence[SmokeRequest], *objections: str | None) -> Smoked:
    """The first of the file were answered, with these objections, each within a second."""
    known = gone_on(None, file)
    for request, objection in zip(file, objections, strict=False):
        known = known.answered(request, objection, SECOND)
    return known


def test_what_was_answered_is_counted_and_told() -> None:
    file = requests(*range(40))

    assert str(gone_on(None, file)) == "0 of 40 passed"
    assert str(smoked(file, *[None] * 14)) == "14 of 40 passed"
    assert str(smoked(file, None, "a", None, "b")) == "2 of 40 passed, 2 failed"


def test_they_are_over_when_all_were_answered_or_enough_failed() -> None:
    file = requests(*range(12))

    assert not smoked(file, *[None] * 11).over
    assert smoked(file, *[None] * 12).over
    assert not smoked(file, *["a"] * (FAILURES_MAX - 1)).over
    assert smoked(file, *["a"] * FAILURES_MAX).over


@pytest.mark.parametrize(("took", "over"), [(29 * SECOND, False), (30 * SECOND, True)])
def test_a_minute_of_failures_is_enough(took: timedelta, over: bool) -> None:
    file = requests(1, 2, 3, 4)
    known = gone_on(None, file)
    for request, objection in zip(file, ("a", None, "b"), strict=False):
        known = known.answered(request, objection, took)

    assert (known.over, known.failing) == (over, 2 * took)


def test_they_go_on_after_those_that_were_sent() -> None:
    known = smoked(requests(1, 2, 3), None, "a")

    assert gone_on(known, requests(1, 2, 3)) == known
    assert gone_on(known, requests(1, 2, 7, 8)) == known.model_copy(update={"total": 4})
    assert gone_on(known, requests(1, 2)).over


@pytest.mark.parametrize("other", [(7, 2, 3), (2, 1, 3), (1,)])
def test_other_requests_than_were_sent_begin_anew(other: tuple[int, ...]) -> None:
    known = smoked(requests(1, 2, 3), None, "a")

    assert gone_on(known, requests(*other)) == Smoked(total=len(other))


def test_what_the_row_keeps_of_them_is_small() -> None:
    file = requests(*range(40))

    known = smoked(file, *["x" * 5000] * FAILURES_MAX)

    assert known.failures == ("x" * FAILURE_TEXT_MAX,) * FAILURES_MAX
    assert len(known.model_dump_json()) < 4 * 1024


def test_a_debt_of_before_there_were_pieces_begins_at_the_first() -> None:
    wish = RunSmoke(endpoint=an_endpoint(), deployment="green", requests="smoke/churn.jsonl")
    debt = Debt(id="d", action=wish, generation=1, not_before=NOON + MINUTE)
    before = debt.model_dump_json(exclude={"smoked"})

    assert Debt.model_validate_json(before) == debt
    assert gone_on(debt.smoked, requests(1, 2)) == Smoked(total=2)


def test_what_is_kept_of_a_debt_is_read_as_it_was_written() -> None:
    wish = RunSmoke(endpoint=an_endpoint(), deployment="green", requests="smoke/churn.jsonl")
    known = smoked(requests(1, 2, 3), None, "a")
    debt = Debt(id="d", action=wish, generation=1, not_before=NOON, smoked=known)

    assert Debt.model_validate_json(debt.model_dump_json()) == debt
