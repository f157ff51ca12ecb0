"""The tutorial's endpoint, made by its own script on a running emulator."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from docs.examples import digits
from tests.docs.pages import ROOT
from tests.emulator.running import eventually, running_emulator, scoring_python

ENDED_SECONDS = 30


def test_the_script_makes_what_the_tutorial_says(tmp_path: Path) -> None:
    with running_emulator() as azure:
        where = ("--emulator", azure.url, "--folder", str(tmp_path))
        script = (sys.executable, "-m", "docs.examples.digits", *where)
        python = ("--python", str(scoring_python()))

        created = _told([*script, *python, "create"])
        added = _told([*script, *python, "add", "digits-v2"])
        served = _answers([*script, *python, "traffic"], tmp_path / "answers.json")
        endpoint = azure.arm("GET", f"/onlineEndpoints/{digits.ENDPOINT}").json()

    assert azure.workspace_id == digits.WORKSPACE
    assert created.endswith("digits-v1 is ready\ndigits-v1 has all traffic\n")
    assert added == "digits-v2 is ready\n"
    assert endpoint["properties"]["traffic"] == {"digits-v1": 100}
    assert {row["deployment"] for row in served if row["status"] == 200} == {"digits-v1"}


def _told(command: Sequence[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _answers(command: Sequence[str], tally: Path) -> list[dict[str, int | str]]:
    """What the users were answered, until they are told to stop."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        eventually(
            lambda: tally.exists() and json.loads(tally.read_text())["answers"], ENDED_SECONDS
        )
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(ENDED_SECONDS) == 0
    rows: list[dict[str, int | str]] = json.loads(tally.read_text())["answers"]
    return rows
