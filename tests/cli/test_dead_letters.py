"""Dead letters: seen, and sent again."""

import json

from tests.cli.canned import Canned
from tests.cli.conftest import Shell

LETTER = {
    "queue": "events",
    "id": "churn:3:7",
    "reason": "no JSON",
    "deliveries": 10,
    "at": "2026-03-02T12:00:00Z",
}


def test_dead_letters_are_listed(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "dead-letters", {"dead_letters": [LETTER]})

    assert shell.run("dead-letters", "list").stdout == (
        "queue   id         tried  since                 reason\n"
        "events  churn:3:7  10     2026-03-02T12:00:00Z  no JSON\n"
    )
    told = json.loads(shell.run("dead-letters", "list", "--json").stdout)
    assert told == {"dead_letters": [LETTER]}


def test_none_is_said(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "dead-letters", {"dead_letters": []})

    assert shell.run("dead-letters", "list").stdout == "No dead letters.\n"


def test_one_is_sent_again(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "dead-letters/events/churn:3:7/resend", None, status=204)

    done = shell.run("dead-letters", "resend", "events", "churn:3:7")

    assert (done.exit_code, done.stdout) == (0, "churn:3:7 is in events again\n")
    assert done.stderr == f"controller: local, {canned.url}\n"
    again = shell.run("dead-letters", "resend", "events", "churn:3:7", "--json")
    assert json.loads(again.stdout) == {"resent": "churn:3:7", "queue": "events"}
