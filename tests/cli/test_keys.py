"""`rollout keys`: what a person reads, and what is asked before it breaks something."""

import re
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from rollout.cli.keys import _table
from rollout.keys.views import KeysStatus
from tests.cli.canned import Canned
from tests.cli.conftest import Shell

AT = "2026-03-02T12:00:00Z"
ROTATION: dict[str, Any] = {
    "id": "churn-0123456789-keys-1",
    "endpoint": "contoso/churn",
    "phase": "overlapping",
    "policy": "keys",
    "who": "anna",
    "why": "",
    "leaked": False,
    "started_at": AT,
    "phase_since": AT,
    "in_use": "primary",
    "published_at": AT,
    "waits_for": "for clients to read the new key, until 13:00:00",
    "needs_person": False,
    "remedy": "",
    "trouble": None,
    "next_look_at": AT,
}
ASKING = {
    **ROTATION,
    "phase": "asking",
    "needs_person": True,
    "trouble": "churn-key has no version yet",
    "remedy": "rollout keys resume contoso/churn --in-use primary|secondary",
}
STATUS: dict[str, Any] = {
    "seen_at": "2026-03-14T12:30:00Z",
    "endpoint": "contoso/churn",
    "mode": "key",
    "policy": "keys",
    "secret": "churn-key",  # pragma: allowlist secret
    "version": "v7",
    "published_at": AT,
    "in_use": "secondary",
    "renewed": {"secondary": AT},
    "next_rotation_at": "2026-04-01T01:00:00Z",
    "rotation": ROTATION,
}


def test_the_status_tells_ages_versions_and_what_is_overdue(canned: Canned, shell: Shell) -> None:
    late = {**STATUS, "endpoint": "contoso/fraud", "overdue": "it did not start", "rotation": None}
    tokens = {"endpoint": "contoso/ads", "mode": "aadtoken", "cannot": "clients sign in to Entra"}
    canned.says("GET", "keys", {"keys": [STATUS, late, tokens]})

    answer = shell.run("keys", "status")

    assert answer.exit_code == 0, answer.output
    assert "12 d (in use)" in answer.output
    assert "v7, 12 d" in answer.output
    assert "2026-04-01 01:00" in answer.output
    assert "unknown" in answer.output
    assert "contoso/fraud: OVERDUE: it did not start" in answer.output
    assert "→ rollout keys rotate contoso/fraud" in answer.output
    assert "aad_token" in answer.output
    assert "rotating: waits for clients to read the new key" in answer.output


def test_one_endpoint_in_full(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "keys/churn", {**STATUS, "rotation": ASKING})

    answer = shell.run("keys", "status", "churn")

    assert "version    v7" in answer.output
    assert "12 d (in use), since 2026-03-02 12:00:00 UTC" in answer.output
    assert "→ rollout keys resume contoso/churn --in-use primary|secondary" in answer.output


def test_a_rotation_is_asked_for_with_who_and_why(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "keys/churn/rotate", {"decided": "begun", "rotation": ROTATION}, status=201)

    answer = shell.run("keys", "rotate", "churn", "--as", "anna", "--why", "audit")

    assert answer.exit_code == 0, answer.output
    body = {"leaked": False, "forced": False, "who": "anna", "why": "audit"}
    assert canned.requests[-1].body == body
    assert canned.requests[-1].key
    assert "next:  rollout keys status contoso/churn" in answer.output


def test_a_question_ends_with_its_own_code_and_the_command(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "keys/churn/rotate", {"decided": "asks", "rotation": ASKING}, status=201)

    answer = shell.run("keys", "rotate", "churn", "--as", "anna")

    assert answer.exit_code == 4
    assert "do:    rollout keys resume contoso/churn --in-use" in answer.output


@pytest.mark.parametrize("words", [(), ("--yes",)])
def test_a_leak_is_said_what_it_breaks_before_it_is_done(
    canned: Canned, shell: Shell, words: tuple[str, ...]
) -> None:
    canned.says("POST", "keys/churn/rotate", {"decided": "begun", "rotation": ROTATION}, status=201)

    answer = shell.run("keys", "rotate", "churn", "--leaked", "--as", "anna", *words)

    assert "is refused (401) until it has read the new one" in answer.output
    asked = [one.body["leaked"] for one in canned.requests if one.method == "POST"]
    assert asked == ([True] if words else [])
    assert answer.exit_code == (0 if words else 130)


def test_an_abort_and_a_resume_are_handed_over(canned: Canned, shell: Shell) -> None:
    for verb in ("abort", "resume"):
        canned.says("POST", f"keys/churn/{verb}", {"decided": verb, "rotation": ROTATION})

    aborted = shell.run("keys", "abort", "churn", "--as", "ben", "--why", "wrong vault")
    resumed = shell.run("keys", "resume", "churn", "--as", "ben", "--in-use", "primary")

    assert (aborted.exit_code, resumed.exit_code) == (0, 0)
    assert canned.requests[-1].body == {"who": "ben", "why": "", "in_use": "primary"}


def test_the_history_is_retold(canned: Canned, shell: Shell) -> None:
    entry = {**ENTRY, "actions": ["publish the secondary key as churn-key"]}
    canned.says("GET", "keys/churn/history", {"entries": [entry]})

    answer = shell.run("keys", "history", "churn")

    assert answer.exit_code == 0, answer.output
    assert "did     publish the secondary key as churn-key" in answer.output
    assert "phase   proving → publishing" in answer.output


@pytest.mark.parametrize("no_color", [False, True])
def test_what_is_overdue_is_red_where_colours_are_wanted(*, no_color: bool) -> None:
    late = {**STATUS, "overdue": "it did not start", "rotation": None}
    drawn = StringIO()
    screen = Console(file=drawn, force_terminal=True, width=100, no_color=no_color)

    screen.print(_table([KeysStatus.model_validate(late)]))

    red = [part for part in re.findall(r"\x1b\[([0-9;]+)m", drawn.getvalue()) if "31" in part]
    assert bool(red) is not no_color
    assert "OVERDUE: it did not start" in drawn.getvalue()


def test_a_deadline_that_the_sentence_does_not_tell_is_told(canned: Canned, shell: Shell) -> None:
    proving = {**ROTATION, "waits_for": "for the endpoint to answer", "waits_until": AT}
    canned.says("GET", "keys", {"keys": [{**STATUS, "rotation": proving}]})

    answer = shell.run("keys", "status")

    assert "rotating: waits for the endpoint to answer, until 12:00:00 UTC" in answer.output


ENTRY: dict[str, Any] = {
    "number": 1,
    "at": AT,
    "rollout_id": None,
    "rotation_id": ROTATION["id"],
    "event": "KeyProbed",
    "event_id": "e",
    "who": "rollout",
    "before": "proving",
    "after": "publishing",
    "why": "the secondary key opened the endpoint 10 times in a row",
}


@pytest.mark.parametrize(
    "words", [("keys", "explain", "churn"), ("explain", "churn-0123456789-keys-1")]
)
def test_a_rotation_is_explained_with_its_numbers_and_what_it_waits_for(
    canned: Canned, shell: Shell, words: tuple[str, ...]
) -> None:
    numbers = {"answers": 10, "answers_wanted": 10, "seconds": 75.0, "failures": 2}
    entry = {**ENTRY, "numbers": {**numbers, "last_failure": "the endpoint refuses it (401)"}}
    waiting = {**ROTATION, "waits_until": "2026-03-02T13:00:00Z", "then": "the old one goes"}
    canned.says("GET", f"keys/{words[-1]}", {**STATUS, "rotation": waiting})
    canned.says("GET", f"keys/{ROTATION['id']}/history", {"entries": [entry]})

    answer = shell.run(*words)

    assert answer.exit_code == 0, answer.output
    for told in (
        "the endpoint was asked with a key\n  the secondary key opened the endpoint 10 times",
        "number 10 of 10 answers were good",
        "number failed 2 times before: the endpoint refuses it (401)",
        "number the phase before took 1:15",
        "phase  proving → publishing",
        "Now  overlapping since 2026-03-02 12:00:00 UTC",
        "until   2026-03-02 13:00:00 UTC",
        "then    the old one goes",
    ):
        assert told in answer.output


@pytest.mark.parametrize(
    "words", [("keys", "explain", "churn"), ("explain", "churn-0123456789-keys-1")]
)
def test_a_rotation_is_explained_on_a_page_where_foreign_words_are_text(
    canned: Canned, shell: Shell, words: tuple[str, ...]
) -> None:
    entry = {**ENTRY, "numbers": {"seconds": 75.0}, "why": "a | b <script> @anna"}
    canned.says("GET", f"keys/{words[-1]}", {**STATUS, "rotation": ROTATION})
    canned.says("GET", f"keys/{ROTATION['id']}/history", {"entries": [entry]})

    page = shell.run(*words, "--markdown").stdout

    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert page.startswith("### The keys of contoso/churn, under the policy keys\n")
    assert {line.count("|") for line in rows} == {5}
    assert "a &#124; b &#60;script&#62; &#64;anna" in rows[-1]
    assert "number the phase before took 1:15; phase proving → publishing" in rows[-1]
    assert "Now: overlapping since 2026-03-02 12:00:00 UTC" in page


def test_an_older_rotation_is_explained_without_what_the_live_one_does(
    canned: Canned, shell: Shell
) -> None:
    old = str(ROTATION["id"]).replace("-1", "-0")
    canned.says("GET", f"keys/{old}", STATUS)
    canned.says("GET", f"keys/{old}/history", {"entries": [{**ENTRY, "rotation_id": old}]})

    answer = shell.run("keys", "explain", old)

    assert answer.output.startswith(old)
    assert "Now" not in answer.output


def test_where_nothing_was_rotated_nothing_is_explained(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "keys/churn", {**STATUS, "rotation": None})

    answer = shell.run("keys", "explain", "churn")

    assert answer.output == "No key was rotated here yet.\n"
