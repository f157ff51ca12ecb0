"""`rollout events`: each event once, also when the controller was away in between."""

import json
from typing import Any

import pytest

from tests.cli.canned import Canned
from tests.cli.conftest import Shell
from tests.cli.stories import NOON


def an_event(number: int, why: str) -> dict[str, Any]:
    entry = {
        "number": number,
        "at": NOON.isoformat(),
        "rollout_id": "churn-1",
        "event": "Looked",
        "event_id": f"e{number}",
        "who": "rollout",
        "before": "shifting",
        "after": "measuring",
        "why": why,
    }
    return {"endpoint": "contoso/churn", "entry": entry}


def answer(*events: tuple[int, str], until: int, retry: int = 1000) -> str:
    told = [f"id: {at}\ndata: {json.dumps(an_event(at, why))}\n\n" for at, why in events]
    heartbeat = "" if told else ": nothing new\n\n"
    return f"retry: {retry}\n\n{''.join(told)}{heartbeat}id: {until}\n\n"


def lines(stdout: str) -> list[str]:
    return [line.rpartition(": ")[2] for line in stdout.splitlines()]


def test_what_was_is_told_page_by_page_and_then_it_ends(canned: Canned, shell: Shell) -> None:
    pages = [answer((4, "5 % reached"), (5, "passed"), until=5), answer((7, "25 %"), until=7)]
    canned.says("GET", "events", *pages, answer(until=7))

    done = shell.run("events", "--last", "3", "--endpoint", "churn")

    assert (done.exit_code, lines(done.stdout)) == (0, ["5 % reached", "passed", "25 %"])
    assert "2026-03-02 12:00:00 UTC  contoso/churn  measuring: passed" in done.stdout
    assert [one.place for one in canned.requests] == [None, "5", "7"]
    assert canned.requests[0].query == "last=3&endpoint=churn&wait=0"


def test_as_json_it_is_one_document(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "events", answer((4, "passed"), until=4), answer(until=4))

    told = json.loads(shell.run("events", "--json").stdout)

    assert told == {"events": [an_event(4, "passed")]}


def test_nothing_yet_is_said(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "events", answer(until=0))

    assert shell.run("events").stdout == "No events yet.\n"


@pytest.mark.parametrize("form", ["--json", None])
def test_followed_it_goes_on_where_it_was_after_the_controller_was_away(
    canned: Canned, shell: Shell, form: str | None
) -> None:
    canned.says("GET", "events", answer((4, "before"), until=4, retry=200))

    def meanwhile(slept: int) -> None:
        if slept == 1:
            canned.stop()
        if slept == 4:
            canned.start()
            canned.says("GET", "events", answer(until=4), answer((5, "after"), until=5))
        if slept == 6:
            canned.refuses("GET", "events", 403, "no longer")

    shell.on_sleep = meanwhile

    done = shell.run("events", "--follow", *([form] if form else []))

    assert done.exit_code == 4
    told = done.stdout.splitlines()
    whys = [json.loads(line)["entry"]["why"] for line in told] if form else lines(done.stdout)
    assert whys == ["before", "after"]
    assert shell.slept[0] == 0.2
    assert {one.place for one in canned.requests} == {None, "4", "5"}


def test_a_controller_that_stays_away_is_given_up(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "events", answer(until=4))
    shell.on_sleep = lambda _: canned.stop()

    done = shell.run("events", "--follow")

    assert done.exit_code == 5
    assert 120 < sum(shell.slept) < 130


def test_what_is_no_event_stream_is_not_followed(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "events", {"events": []})

    done = shell.run("events")

    assert (done.exit_code, "no event stream" in done.stderr) == (5, True)
