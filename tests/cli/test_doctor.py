"""`rollout doctor`: every part in a line, the remedy under it, and an exit code for CI."""

import json

from tests.cli.canned import Canned
from tests.cli.conftest import Shell

WELL = {"part": "store", "condition": "ok", "told": "a row was written and read back", "remedy": ""}
LATE = {"part": "sweep", "condition": "warning", "told": "not yet", "remedy": "look again"}
FAILED = {
    "part": "workspace w",
    "condition": "failed",
    "told": "not found",
    "remedy": "az ml workspace list",
}


def test_each_part_is_a_line_and_its_remedy_the_next(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "doctor", {"well": False, "diagnoses": [WELL, LATE, FAILED]})

    done = shell.run("doctor")

    assert done.exit_code == 1
    assert done.stdout == (
        "✔ ok       store        a row was written and read back\n"
        "! warning  sweep        not yet\n"
        "                        do: look again\n"
        "✘ failed   workspace w  not found\n"
        "                        do: az ml workspace list\n"
        "\n"
        f"local, {canned.url}: 1 ok, 0 not checked, 1 warning, 1 failed\n"
    )


def test_what_is_well_ends_well(canned: Canned, shell: Shell) -> None:
    body = {"well": True, "diagnoses": [WELL, LATE]}
    canned.says("GET", "doctor", body)

    done = shell.run("doctor", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout) == body


def test_a_failed_part_fails_the_json_too(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "doctor", {"well": False, "diagnoses": [FAILED]})

    assert shell.run("doctor", "--json").exit_code == 1


def test_a_controller_that_does_not_answer_is_the_diagnosis(canned: Canned, shell: Shell) -> None:
    canned.stop()

    done = shell.run("doctor")

    assert done.exit_code == 5
    assert "see that `rollout up` is still running" in done.stderr
