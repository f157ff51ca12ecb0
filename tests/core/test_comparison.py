"""Two answers to one request: when they are the same, and what a person is told of them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.core.agreement import Exact, Label, Numeric, OfContent, Status, TopK
from rollout.core.comparison import Pair, Unreadable, Went, compare, compare_how


def compared(how: OfContent, canary: Any, baseline: Any) -> Pair:
    return compare(how, json.dumps(canary).encode(), json.dumps(baseline).encode())


# fmt: off
SAME = [
    (Exact(), {"a": 1, "b": [True, None]}, {"b": [True, None], "a": 1.0}),
    (Exact(path="a"), {"a": 1, "b": 2}, {"a": 1, "b": 3}),
    (Label(path="digits.0"), {"digits": [3, 4]}, {"digits": [3, 5]}),
    (Numeric(tolerance=0.1), 1.0, 1.05),
    (Numeric(path="s", tolerance=0.1), {"s": [1, 2]}, {"s": [1.1, 1.9]}),
    (TopK(k=2), [0.1, 0.9, 0.8], [0.2, 0.7, 0.9]),
    (TopK(k=2), {"cat": 0.6, "dog": 0.3, "cow": 0.1}, {"dog": 0.6, "cat": 0.3, "cow": 0.1}),
    (TopK(k=2), ["cat", "dog", "cow"], ["dog", "cat", "ant"]),
]
OTHER = [
    (Exact(), {"a": 1}, {"a": 2}),
    (Exact(), True, 1),
    (Exact(), {"a": [False]}, {"a": [0]}),
    (Label(path="digits.0"), {"digits": [3]}, {"digits": [8]}),
    (Numeric(tolerance=0.1), 1.0, 1.2),
    (Numeric(tolerance=0.1), [1.0, 2.0], [1.0]),
    (TopK(k=1), [0.1, 0.9, 0.8], [0.2, 0.7, 0.9]),
    (TopK(k=1), ["cat", "dog"], ["dog", "cat"]),
]
# fmt: on


@pytest.mark.parametrize(("how", "one", "other"), SAME)
def test_answers_that_are_the_same(how: OfContent, one: Any, other: Any) -> None:
    assert not compared(how, one, other).differs


@pytest.mark.parametrize(("how", "one", "other"), OTHER)
def test_answers_that_are_not(how: OfContent, one: Any, other: Any) -> None:
    assert compared(how, one, other).differs


def test_a_flip_is_a_yes_of_one_alone() -> None:
    how = Label(positive=1)

    assert (compared(how, 1, 0).up, compared(how, 1, 0).down) == (True, False)
    assert (compared(how, 0, 1).up, compared(how, 0, 1).down) == (False, True)
    assert (compared(how, 0, 2).up, compared(how, 0, 2).down) == (False, False)
    assert (compared(how, 1, 1).up, compared(how, 1, 1).down) == (False, False)
    assert not compared(Label(), 1, 0).up


def test_the_difference_is_the_canarys_less_the_baselines() -> None:
    assert compared(Numeric(tolerance=1), [3.0, 2.0], [1.0, 1.0]).difference == 1.5
    assert compared(Numeric(), [3.0, 2.0], [1.0]).difference is None


def test_what_is_no_json_is_compared_byte_by_byte() -> None:
    assert not compare(Exact(), b"ham", b"ham").differs
    assert compare(Exact(), b"ham", b"spam").differs


def test_a_canary_that_cannot_be_read_differs_and_says_why() -> None:
    pair = compared(Label(path="digits.0"), {"error": "no"}, {"digits": [3]})

    assert (pair.differs, pair.canary, pair.baseline) == (
        True,
        "(the answer has nothing at digits.0)",
        "3",
    )


@pytest.mark.parametrize(
    ("how", "baseline", "why"),
    [
        (Label(path="a.b"), b'{"a": 1}', "nothing at a.b"),
        (Label(path="3"), b"[1]", "nothing at 3"),
        (Label(), b"<html>", "is no JSON"),
        (Numeric(), b'"high"', "neither a number nor a list of numbers"),
        (Numeric(), b"true", "neither a number"),
        (Numeric(), b"[]", "neither a number"),
        (Numeric(), b"NaN", "neither a number"),
        (Numeric(path="s"), b'{"s": 1' + 400 * b"0" + b"}", "what is at s is neither a number"),
        (TopK(k=2), b"5", "has no scores"),
        (TopK(k=2), b'{"a": "b"}', "has no scores"),
        (Exact(path="a"), b"[" * 100_000, "no JSON"),
    ],
)
def test_a_baseline_that_cannot_be_read_compares_nothing(
    how: OfContent, baseline: bytes, why: str
) -> None:
    with pytest.raises(Unreadable, match=why):
        compare(how, b"1", baseline)


SCORES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5)
HOWS = st.sampled_from([Exact(), Label(positive=1.0), Numeric(tolerance=0.5), TopK(k=2)])


@given(HOWS, SCORES, SCORES)
def test_arms_that_change_places_change_the_sign(
    how: OfContent, one: list[float], other: list[float]
) -> None:
    there, back = compared(how, one, other), compared(how, other, one)

    assert (there.differs, there.up, there.down) == (back.differs, back.down, back.up)
    assert (there.canary, there.baseline) == (back.baseline, back.canary)
    if there.difference is not None and back.difference is not None:
        assert there.difference == pytest.approx(-back.difference)


@given(HOWS, SCORES)
def test_an_answer_agrees_with_itself(how: OfContent, answer: list[float]) -> None:
    pair = compared(how, answer, answer)

    assert (pair.differs, pair.up, pair.down) == (False, False, False)


@pytest.mark.parametrize(
    ("limit", "canary", "baseline", "differs"),
    [
        (None, (200, 900), (200, 20), False),
        (100, (200, 120), (200, 20), False),
        (100, (200, 121), (200, 20), True),
        (100, (200, 20), (200, 900), False),
        (None, (424, 20), (200, 20), True),
    ],
)
def test_how_requests_went_is_compared_without_their_answers(
    limit: float | None, canary: tuple[int, float], baseline: tuple[int, float], differs: bool
) -> None:
    pair = compare_how(Status(slower_by_ms=limit), Went(*canary), Went(*baseline))

    assert pair.differs is differs
    assert pair.canary == f"status {canary[0]} in {canary[1]} ms"
