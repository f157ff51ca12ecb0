"""The demo judges what is served, not what it is called: its scripts are swapped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulator.running import ROOT
from tests.journeys.controller import environment

pytestmark = pytest.mark.journey

DEMO_SECONDS = 900


def test_swapped_scripts_swap_the_endings(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    options = ["--swap", "--folder", str(tmp_path / "demo"), "--summary", str(summary)]

    with (tmp_path / "log").open("w") as log:
        demo = subprocess.run(
            [sys.executable, "-m", "demo", *options],
            cwd=ROOT,
            env=environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=DEMO_SECONDS,
            check=False,
        )

    told = (tmp_path / "log").read_text()
    assert demo.returncode == 1, told
    endings = {one["deployment"]: one for one in json.loads(summary.read_text())}
    assert {name: one["ended"] for name, one in endings.items()} == {
        "digits-v2": "rolled back",
        "digits-v3": "promoted",
        "digits-v4": "rolled back",
    }, told
    wrong = endings["digits-v4"]
    assert (wrong["by_canary"], wrong["failed"]) == (0, 0), told
    assert "answers differ" in told
