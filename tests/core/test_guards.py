"""What a question is filled in with, and where its answers are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.analysis.report import Guard
from rollout.core.guards import filled, source_of

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{2,31}", fullmatch=True)


def test_only_known_words_in_braces_are_filled_in() -> None:
    text = 'x{endpoint="{endpoint}"} | dynamic({"a": 1}) {other}'

    assert filled(text, {"endpoint": "churn"}) == 'x{endpoint="churn"} | dynamic({"a": 1}) {other}'


@given(name=NAMES)
def test_every_name_of_azure_may_stand_in_a_query(name: str) -> None:
    assert filled("a {endpoint} b", {"endpoint": name}) == f"a {name} b"


@pytest.mark.parametrize("value", ['"', "a b", "a|b", "a'", "", "a\n", "{since}", "a;b", "a\\"])
def test_what_could_be_read_as_code_is_not_filled_in(value: str) -> None:
    with pytest.raises(ValueError, match="not safe"):
        filled("{endpoint}", {"endpoint": value})


def test_a_changed_question_has_other_samples_and_a_changed_limit_has_not() -> None:
    guard = Guard(name="slow", kql="a", at_most=1)

    assert source_of(guard) == source_of(Guard(name="slow", kql="a", at_most=2))
    assert source_of(guard) != source_of(Guard(name="slow", kql="b", at_most=1))
    assert source_of(guard) != source_of(Guard(name="slow", prometheus="a", at_most=1))
