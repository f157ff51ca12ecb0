"""`rollout disagreements`: which recorded requests were answered differently."""

from typing import Any

import pytest

from tests.cli.canned import Canned
from tests.cli.conftest import Shell

HASHES = "sha256:4e07408562bedb8b"


def told(**changes: Any) -> dict[str, Any]:
    apart = {"request": "digit 7", "canary": "3", "baseline": "8"}
    whole = {"rollout": "churn-1", "requests": "samples/digits.jsonl", "sent": 130}
    numbers = {"compared": 120, "differing": 15, "answers_kept": True, "disagreements": [apart]}
    return {**whole, **numbers, **changes}


def test_the_requests_are_listed_with_both_answers(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "rollouts/churn/disagreements", told())

    assert shell.run("disagreements", "churn").stdout == (
        "churn-1: 15 of 120 answers differ (130 requests of samples/digits.jsonl sent)\n"
        "request  canary  baseline\n"
        "digit 7  3       8\n"
    )


def test_hashes_are_called_what_they_are(canned: Canned, shell: Shell) -> None:
    apart = {"request": "digit 7", "canary": HASHES, "baseline": HASHES}
    body = told(answers_kept=False, disagreements=[apart])
    canned.says("GET", "rollouts/churn/disagreements", body)

    done = shell.run("disagreements", "churn").stdout

    assert done.count(HASHES) == 2
    assert done.endswith("Only hashes of the answers are kept; see agreement.keep_answers\n")


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (told(differing=0, disagreements=[]), "churn-1: 0 of 120 answers differ"),
        (told(requests=None, disagreements=[]), "churn-1: its policy has no agreement"),
        (
            told(pairs_from="collector", requests=None, disagreements=[]),
            "churn-1: 15 of 120 answers differ (to live requests and their copies, by the data",
        ),
    ],
)
def test_nothing_to_show_is_said(
    canned: Canned, shell: Shell, body: dict[str, Any], line: str
) -> None:
    canned.says("GET", "rollouts/churn/disagreements", body)

    assert shell.run("disagreements", "churn").stdout.startswith(line)
