"""A demo is red when users paid for it, however well its stories ended."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from demo import endings
from demo.endings import Answers, Ending, Users

NOON = 1_763_726_400.0
BAD = {"digits-v3"}
PROMOTED = Ending("digits-v2", "promoted", "promoted", 120, 14_000, 0, 9_000)


def seen(requests: int, first: float = NOON, last: float = NOON + 30) -> Answers:
    return Answers(requests, first, last)


def test_what_a_bad_canary_fails_is_what_the_demo_is_about() -> None:
    users: Users = {("digits-v2", 200, ""): seen(90), ("digits-v3", 424, "model_error"): seen(7)}

    assert endings.unexplained(users, BAD) == []
    assert endings.count(users, failed=True) == 7


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (
            ("digits-v1", 429, "too_many_pending_request"),
            "7 of digits-v1: status 429, too_many_pending_request, from 12:00:00 to 12:00:30",
        ),
        (("digits-v2", 503, ""), "7 of digits-v2: status 503, from 12:00:00 to 12:00:30"),
        (("-", 0, "TimeoutError"), "7 of -: no answer, TimeoutError, from 12:00:00 to 12:00:30"),
    ],
    ids=["the baseline", "a good canary", "nobody"],
)
def test_what_anybody_else_fails_is_told_with_its_time_and_makes_the_demo_red(
    kind: tuple[str, int, str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    users: Users = {("digits-v2", 200, ""): seen(90), kind: seen(7)}

    found = endings.unexplained(users, BAD)

    assert found == [told]
    assert not endings.summary([PROMOTED, replace(PROMOTED, failed=7, unexplained=found)])
    assert told in capsys.readouterr().out


def test_a_demo_is_green_when_all_ended_as_they_must_and_nobody_paid() -> None:
    rolled_back = Ending("digits-v3", "rolled back", "rolled back", 30, 3_000, 7, 200)

    assert endings.summary([PROMOTED, rolled_back])
    assert not endings.summary([PROMOTED, replace(rolled_back, ended="promoted")])


def test_requests_that_a_slow_machine_was_spared_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert endings.summary([PROMOTED])
    assert "not sent" not in capsys.readouterr().out

    assert endings.summary([replace(PROMOTED, unsent=12)])
    assert "12 more were due and not sent" in capsys.readouterr().out


def test_a_story_counts_what_came_while_it_was_told(tmp_path: Path) -> None:
    tally = tmp_path / "traffic.json"
    before = endings.users(tally)
    row = {"deployment": "digits-v1", "why": "", "first": NOON, "last": NOON + 9}
    rows = [{**row, "status": 200, "requests": 40}, {**row, "status": 429, "requests": 2}]
    tally.write_text(json.dumps({"unsent": 0, "answers": rows}))
    first = endings.users(tally)
    rows[0] |= {"requests": 100, "last": NOON + 60}
    tally.write_text(json.dumps({"unsent": 3, "answers": rows}))

    assert endings.unsent(tally) == 3
    assert endings.count(endings.since(before, first, NOON), "digits-v1", failed=True) == 2
    assert endings.since(first, endings.users(tally), NOON + 10) == {
        ("digits-v1", 200, ""): Answers(60, NOON + 10, NOON + 60)
    }
