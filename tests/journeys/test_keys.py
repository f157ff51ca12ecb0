"""An endpoint's keys are rotated three times under its clients, and the controller is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.emulator.running import ROOT, eventually
from tests.journeys.conftest import StageMaker
from tests.journeys.controller import SPEED, environment
from tests.journeys.policies import STEADY
from tests.journeys.scripts import GOOD
from tests.journeys.stage import Stage
from tests.journeys.test_killed_at_random import Fate

pytestmark = pytest.mark.journey

LAUNCHER = ("tests.journeys.mortal", os.devnull, "nowhere")
OVERLAP_MINUTES = 2
ROTATION = f"""
rotation:
  match: {{endpoint: "*"}}
  overlap_minutes: {OVERLAP_MINUTES}
  secret: {{name: "{{endpoint}}-key"}}
  probe: {{requests: smoke/numbers.jsonl}}
  lands_within_minutes: 3
"""
SWITCHES = {
    "operation_seconds": 0.4,
    "key_change_seconds": 0.5,
    "new_key_refused_seconds": 1.0,
    "regenerate_status_lost": True,
}


def with_keys(a_stage: StageMaker, **launcher: object) -> Stage:
    """An endpoint with a rotation policy; its primary key is published as the one in use."""
    stage = a_stage(STEADY, up=False, green=GOOD, **launcher)
    (stage.controller.policies / "keys.yaml").write_text(ROTATION)
    stage.controller.start()
    return stage


def pair(stage: Stage) -> set[str]:
    listed = stage.emulator.arm("POST", f"/onlineEndpoints/{stage.name}/listKeys").json()
    return {listed["primaryKey"], listed["secondaryKey"]}


def rotate(stage: Stage, key: str, **wish: object) -> bool:
    """Ask for it; False where the controller was not there to answer."""
    body = {"who": "anna", **wish}
    try:
        answer = stage.controller.ask(
            "POST", f"keys/{stage.name}/rotate", body, Idempotency_Key=key
        )
    except requests.RequestException:
        return False
    assert answer.status_code in {201, 409}, answer.text
    return True


def rotation_phase(stage: Stage) -> str:
    try:
        answer = stage.controller.ask("GET", f"keys/{stage.name}")
    except requests.RequestException:
        return ""
    return str((answer.json().get("rotation") or {}).get("phase")) if answer.ok else ""


@contextmanager
def holders(stage: Stage, folder: Path) -> Iterator[Path]:
    """Clients that keep a key for the whole overlap, for the length of a with block."""
    out, file = folder / "holders.json", stage.controller.data / "secrets.json"
    url = f"{stage.emulator.url}/inference/{stage.emulator.location}/{stage.name}/score"
    kept = OVERLAP_MINUTES * 60 / SPEED
    argv = [sys.executable, "-m", "tests.journeys.keyholders", url, str(file)]
    argv += [f"{stage.name}-key", str(kept), str(out)]
    process = subprocess.Popen(argv, cwd=ROOT, env=environment())
    try:
        yield out
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        process.kill()
        process.wait()


def first_rotation(stage: Stage) -> None:
    """Nothing is published yet: a person says which key clients have, and all goes its way."""
    assert rotate(stage, "first")
    assert rotation_phase(stage) == "asking"
    told = stage.controller.cli("keys", "resume", stage.name, "--in-use", "primary")
    assert told.returncode == 0, told.stderr
    stage.eventually(lambda: rotation_phase(stage) == "rotated", seconds=40)


def test_three_rotations_and_no_client_is_refused(a_stage: StageMaker, tmp_path: Path) -> None:
    stage = with_keys(a_stage, launcher=LAUNCHER)
    seen = pair(stage)
    stage.emulator.switch(**SWITCHES)
    first_rotation(stage)
    fate = Fate(stage, seed=5, deaths=9, apart=(0.5, 2.5))

    with holders(stage, tmp_path) as out:
        began = time.monotonic()
        for number in range(3):
            before = pair(stage)
            fate.until(partial(rotate, stage, f"rotation-{number}"), seconds=20)
            fate.until(lambda: rotation_phase(stage) == "rotated", seconds=60)
            seen |= before | pair(stage)
            assert not before & pair(stage), report(stage)
        lasted = time.monotonic() - began
    stage.emulator.switch(key_change_seconds=0, new_key_refused_seconds=0)

    told = json.loads(out.read_text())
    answers = {int(status): count for status, count in told["answers"].items()}
    sys.stdout.write(
        f"\nkeys rotated three times in {lasted:.0f} s, the controller killed"
        f" {9 - fate.left} times: {sum(answers.values())} requests,"
        f" {answers.get(401, 0)} answered 401; {told['reads']} reads of the secret\n"
    )
    assert set(answers) == {200}, f"{answers}\n{report(stage)}"
    assert sum(answers.values()) > 1000
    assert fate.left < 5
    assert len(seen) == 10
    assert_told_nowhere(stage, seen | {installation_secret(stage)})


def report(stage: Stage) -> str:
    return stage.controller.cli("keys", "history", stage.name).stdout + stage.controller.log[-3000:]


def installation_secret(stage: Stage) -> str:
    content = json.loads((stage.controller.data / "secrets.json").read_text())
    return str(content["secrets"]["rollout-installation-secret"][0]["value"])


def assert_told_nowhere(stage: Stage, secrets: set[str]) -> None:
    """Neither a row, a message, a line of the log nor an answer holds a key, or a part of one."""
    paths = ("keys", f"keys/{stage.name}", f"keys/{stage.name}/history", "policies", "about")
    answers = {path: stage.controller.ask("GET", path).content for path in paths}
    files = {
        str(path): path.read_bytes()
        for path in stage.controller.data.rglob("*")
        if path.is_file() and path.name != "secrets.json"
    }
    files["log"] = stage.controller.log.encode()
    assert any(name.endswith("rollout.db") for name in files)
    assert b"rotat" in b"".join(files.values())
    for secret in secrets:
        for name, content in {**files, **answers}.items():
            assert secret.encode() not in content, name
            assert secret[:12].encode() not in content, name
    mode = (stage.controller.data / "secrets.json").stat().st_mode & 0o777
    assert mode == 0o600


def test_a_leak_is_said_what_it_breaks_and_closed(a_stage: StageMaker) -> None:
    stage = with_keys(a_stage)
    before = pair(stage)
    words = ("keys", "rotate", stage.name, "--leaked", "--in-use", "secondary")

    asked = stage.controller.cli(*words)
    told = stage.controller.cli(*words, "--yes", "--as", "berta", "--why", "seen in a notebook")
    stage.eventually(lambda: rotation_phase(stage) == "rotated")
    status = stage.controller.cli("keys", "status", stage.name, "--json")

    assert asked.returncode != 0
    assert "is refused (401)" in asked.stderr
    assert told.returncode == 0, told.stderr
    assert not before & pair(stage)
    shown = json.loads(status.stdout)
    assert shown["in_use"] == "primary"
    assert set(shown["renewed"]) == {"primary", "secondary"}


def test_a_rollout_waits_for_a_key_and_then_begins(a_stage: StageMaker) -> None:
    stage = with_keys(a_stage)
    stage.emulator.switch(operation_seconds=2)
    assert rotate(stage, "one", in_use="primary")
    eventually(lambda: rotation_phase(stage) == "renewing_spare")

    queued = stage.start("green")
    stage.eventually(lambda: stage.view)
    stage.emulator.switch(operation_seconds=0.3)

    assert queued.status_code == 202, queued.text
    assert "waits until the secondary key is regenerated" in queued.json()["why"]
    assert stage.view["canary"] == "green"
