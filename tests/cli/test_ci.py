"""What a CI job keeps: outputs in the moment they are known, and a summary that nothing breaks."""

import json
from pathlib import Path
from typing import Any

import pytest

from rollout.cli.markdown import plain
from rollout.core.rollout import Outcome, Phase
from tests.cli.canned import Canned
from tests.cli.conftest import Shell
from tests.cli.stories import HISTORY, ID, a_view, ended
from tests.cli.test_plan_and_replay import a_plan

EVIL = "a | b\n::set-output name=x::y\n# <script>alert(1)</script> [x](https://example.net) @anna"


def start(shell: Shell, *more: str) -> Any:
    files = ("--summary", str(shell.folder / "sum.md"), "--outputs", str(shell.folder / "out"))
    return shell.run("start", "churn", "green", *files, *more)


def outputs(shell: Shell) -> list[str]:
    return (shell.folder / "out").read_text().splitlines()


def summary(shell: Shell) -> str:
    return (shell.folder / "sum.md").read_text()


@pytest.mark.parametrize(
    ("outcome", "code", "mark"),
    [
        (Outcome.PROMOTED, 0, "### ✔ Promoted: green has all traffic"),
        (Outcome.ROLLED_BACK, 1, "### ↩ Rolled back, and safe: blue 100 % again"),
        (Outcome.ABORTED, 3, "### ↩ Aborted, and safe: blue 100 % again"),
    ],
)
def test_the_plan_and_the_end_are_in_the_summary(
    outcome: Outcome, code: int, mark: str, canned: Canned, shell: Shell
) -> None:
    canned.says("POST", "rollouts", a_view(), status=201)
    canned.says("POST", "plans", a_plan())
    canned.shows([a_view(), ended(outcome)], HISTORY)

    done = start(shell, "--wait")

    assert done.exit_code == code, done.output
    assert outputs(shell) == [f"rollout-id={ID}", f"outcome={outcome.value}"]
    told = summary(shell)
    assert told.index("### Plan: policy&#64;") < told.index("| stage | begins |") < told.index(mark)
    assert [one["why"] for one in HISTORY if plain(one["why"]) not in told] == []
    assert canned.requests[1].body == {"policy": "churn", "endpoint": "contoso/churn"}


def test_the_id_is_kept_before_anything_is_waited_for(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "rollouts", a_view(), status=201)
    canned.shows([a_view()])
    known: list[list[str]] = []
    shell.on_sleep = lambda _: known.append(outputs(shell))

    assert start(shell, "--wait", "--timeout", "1").exit_code == 2

    assert known[0] == [f"rollout-id={ID}"]
    assert outputs(shell)[1:] == ["outcome=undecided"]


def test_a_refused_start_is_told_as_the_command_tells_it(canned: Canned, shell: Shell) -> None:
    canned.refuses("POST", "rollouts", 422, "green | is Failed: create it again")

    assert start(shell, "--wait").exit_code == 4

    assert outputs(shell) == ["outcome=refused"]
    assert "### refused" in summary(shell)
    assert "green &#124; is Failed: create it again" in summary(shell)


def test_a_silent_controller_is_told(canned: Canned, shell: Shell) -> None:
    canned.stop()

    assert start(shell, "--wait").exit_code == 5

    assert outputs(shell) == ["outcome=unreachable"]


def test_a_missing_plan_does_not_change_the_verdict(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "rollouts", a_view(), status=201)
    canned.refuses("POST", "plans", 404, "no metrics of churn")
    canned.shows([ended(Outcome.PROMOTED)])

    assert start(shell, "--wait").exit_code == 0

    assert "There is no plan: no metrics of churn" in summary(shell)


def test_a_file_that_cannot_be_written_is_told_before_anything_begins(
    canned: Canned, shell: Shell, tmp_path: Path
) -> None:
    done = shell.run("start", "churn", "green", "--summary", str(tmp_path / "no" / "where.md"))

    assert done.exit_code == 4
    assert "cannot be written" in done.stderr
    assert canned.requests == []


def test_what_others_wrote_is_text_and_nothing_else(canned: Canned, shell: Shell) -> None:
    entry = {**HISTORY[0], "why": EVIL, "who": EVIL}
    canned.shows([a_view(why=EVIL, phase=Phase.MEASURING)], [entry])

    page = shell.run("explain", "churn", "--markdown").stdout

    assert not [one for one in ("<script", "](http", "@anna", "\n::", "a | b") if one in page]
    assert "a &#124; b ::set-output" in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {5}


def test_an_id_cannot_bring_an_output_of_its_own(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "rollouts", a_view(id=f"{ID}\noutcome=promoted"), status=201)

    start(shell)

    assert outputs(shell)[0] == f"rollout-id={ID}outcomepromoted"


def test_a_plan_is_there_as_markdown(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "plans", a_plan())

    page = shell.run("plan", "churn", "--endpoint", "churn", "--markdown").stdout

    assert page.startswith("### Plan: churn&#64;")
    assert "| canary 5 % | minute 0 | minute 7 to 60 | 840 |" in page
    assert "**What it cannot see**\n\n- " in page


def test_json_goes_before_markdown(canned: Canned, shell: Shell) -> None:
    canned.shows([a_view()], HISTORY)

    assert json.loads(shell.run("explain", "churn", "--markdown", "--json").stdout)["entries"]
