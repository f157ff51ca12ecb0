"""`rollout settings`: every setting with its source, secrets masked, and typos named."""

import json
import re
from pathlib import Path

import pytest

from rollout.errors import Malformed
from rollout.settings import CLIENTS_OWN, PREFIX, Settings
from tests.cli.canned import Canned
from tests.cli.conftest import Shell
from tests.cli.test_app import run_in_terminal

ROOT = Path(__file__).parents[2]
WORKSPACE = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
)
WHOLE = {"ROLLOUT_API_TOKEN": "open sesame", "ROLLOUT_WORKSPACES": WORKSPACE}


def test_every_setting_is_told_without_a_controller(canned: Canned, shell: Shell) -> None:
    canned.stop()
    shell.environment.update(WHOLE, ROLLOUT_CLIENT_ID="c1")

    done = shell.run("settings", "--json")

    assert done.exit_code == 0
    rows = {row["variable"]: row for row in json.loads(done.stdout)["settings"]}
    assert set(rows) == {PREFIX + name.upper() for name in Settings.model_fields}
    assert rows["ROLLOUT_CLIENT_ID"] == {
        "variable": "ROLLOUT_CLIENT_ID",
        "value": "c1",
        "from": "environment",
        "for": "of a user-assigned managed identity",
    }
    assert (rows["ROLLOUT_ARM_URL"]["value"], rows["ROLLOUT_ARM_URL"]["from"]) == (
        "https://management.azure.com",
        "default",
    )
    assert all(row["for"] for row in rows.values())


def test_names_are_whole_in_a_narrow_terminal() -> None:
    code, drawn = run_in_terminal(["settings"], {**WHOLE, "COLUMNS": "80"})

    assert code == 0
    assert [
        name for name in Settings.model_fields if f"{PREFIX}{name.upper()}\x1b" not in drawn
    ] == []


def test_a_secret_is_never_shown(shell: Shell) -> None:
    shell.environment.update(WHOLE)

    outputs = [shell.run("settings", *words).output for words in ((), ("--json",))]

    assert all("***" in output for output in outputs)
    assert not any("open sesame" in output for output in outputs)


def test_what_is_missing_is_shown_as_missing_and_refused(shell: Shell) -> None:
    done = shell.run("settings")

    assert done.exit_code == 4
    line = next(line for line in done.stdout.splitlines() if "ROLLOUT_WORKSPACES" in line)
    assert "missing" in line
    assert re.search(r"ROLLOUT_WORKSPACES \(.*\): is not set", done.stderr)


def test_an_installation_into_which_nobody_could_get_is_refused(shell: Shell) -> None:
    shell.environment["ROLLOUT_WORKSPACES"] = WORKSPACE

    done = shell.run("settings")

    assert done.exit_code == 4
    assert "nobody could get in: set ROLLOUT_API_TOKEN" in done.stderr


@pytest.mark.parametrize(
    ("typo", "hint"),
    [
        ("ROLLOUT_CLOCK_SPED", "did you mean ROLLOUT_CLOCK_SPEED?"),
        ("ROLLOUT_WORKSPACE", "did you mean ROLLOUT_WORKSPACES?"),
        ("ROLLOUT_client_id", "did you mean ROLLOUT_CLIENT_ID?"),
        ("ROLLOUT_XYZZY", "unset it; see what there is: rollout settings"),
    ],
)
def test_a_variable_that_is_no_setting_stops_the_start(shell: Shell, typo: str, hint: str) -> None:
    shell.environment.update(WHOLE, **{typo: "2"})

    done = shell.run("settings")
    started = shell.run("up", "--port", "0")

    assert done.exit_code == 4
    assert f"{typo}: there is no such setting; {hint}" in done.stderr
    assert started.exit_code == 4
    assert typo in started.stderr
    assert shell.served == []


def test_every_wrong_setting_is_named_at_once() -> None:
    wrong = {**WHOLE, "ROLLOUT_CLOCK_SPEED": "fast", "ROLLOUT_WRITE_VERB": "post", "ROLLOUT_X": "1"}

    with pytest.raises(Malformed) as caught:
        Settings.load(wrong)

    assert [line.split(":")[0].split(" ")[0] for line in str(caught.value).splitlines()] == [
        "ROLLOUT_CLOCK_SPEED",
        "ROLLOUT_WRITE_VERB",
        "ROLLOUT_X",
    ]


@pytest.mark.parametrize("variable", sorted(CLIENTS_OWN))
def test_the_clients_own_variables_are_no_typos(variable: str) -> None:
    assert Settings.load({**WHOLE, variable: "x"})
    readers = [
        path
        for room in ("rollout/cli", "tests")
        for path in (ROOT / room).rglob("*.py")
        if path.name != "test_settings.py" and f'"{variable}"' in path.read_text()
    ]
    assert readers
