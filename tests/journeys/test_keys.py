"""An endpoint's keys are rotated three times under its clients, and the controller is killed."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests

from rollout.doctor.vault import SECRET as DOCTORS
from tests.emulator.running import ROOT, eventually
from tests.journeys.conftest import StageMaker
from tests.journeys.controller import SPEED, environment
from tests.journeys.policies import STEADY
from tests.journeys.scripts import GOOD
from tests.journeys.stage import Stage, live
from tests.journeys.test_killed_at_random import Fate
from tests.journeys.told import a_collector, told

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


def with_keys(
    a_stage: StageMaker, variables: Mapping[str, str] | None = None, **launcher: object
) -> Stage:
    """An endpoint with a rotation policy; nothing is published yet."""
    stage = a_stage(STEADY, up=False, green=GOOD, **launcher)
    stage.controller.variables = variables or {}
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
            fate.until(lambda: rotation_phase(stage) == "rotated", seconds=120)
            seen |= before | pair(stage)
            assert not before & pair(stage), report(stage)
        lasted = time.monotonic() - began
    stage.emulator.switch(key_change_seconds=0, new_key_refused_seconds=0)

    heard = json.loads(out.read_text())
    answers = {int(status): count for status, count in heard["answers"].items()}
    sys.stdout.write(
        f"\nkeys rotated three times in {lasted:.0f} s, the controller killed"
        f" {9 - fate.left} times: {sum(answers.values())} requests,"
        f" {answers.get(401, 0)} answered 401; {heard['reads']} reads of the secret\n"
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


def assert_told_nowhere(
    stage: Stage, secrets: set[str], spans: Sequence[bytes] | None = None
) -> None:
    """Neither a row, a message, a line of the log nor an answer holds a key, or a part of one."""
    places = dict(told(stage.controller, stage.name))
    if spans is not None:
        places["the traces"] = b"".join(spans)
    silent = {name for name in _TELLING if not any(name in place for place in places)}
    assert not silent
    assert all(b"rotat" in places[f"keys {verb} {stage.name}"] for verb in ("explain", "history"))
    found = {
        (place, form)
        for secret in secrets
        for form in _forms(secret)
        for place, content in places.items()
        if form in content
    }
    assert not found, sorted({place for place, _ in found})
    file = stage.controller.data / "secrets.json"
    assert pair(stage) & secrets_kept(stage)
    assert file.stat().st_mode & 0o777 == 0o600
    sys.stdout.write(
        f"key material: {len(secrets)} secrets in {len(places)} places"
        f" of {sum(map(len, places.values())):,} bytes: 0 found\n"
    )


_TELLING = ("rollout.db", "backup.db", "the log", "GET keys", "audit export", "keys explain")


def _forms(secret: str) -> Iterator[bytes]:
    """Whole, its two halves, as it is in base64 wherever it begins, and its plain hash."""
    plain = secret.encode()
    half = len(plain) // 2
    yield from (plain, plain[:half], plain[half:], plain.hex().encode())
    yield from (base64.b64encode(b"x" * skip + plain)[4:-4] for skip in range(3))
    yield hashlib.sha256(plain).hexdigest().encode()


def secrets_kept(stage: Stage) -> set[str]:
    """All that was ever published, and what fingerprints are made with; the doctor's is none."""
    content = json.loads((stage.controller.data / "secrets.json").read_text())["secrets"]
    kept = [versions for name, versions in content.items() if name != DOCTORS]
    return {str(one["value"]) for versions in kept for one in versions}


def test_a_leak_is_said_what_it_breaks_and_closed(a_stage: StageMaker) -> None:
    with a_collector() as (address, spans):
        variables = {"ROLLOUT_TELEMETRY": "opentelemetry", "OTEL_EXPORTER_OTLP_ENDPOINT": address}
        stage = with_keys(a_stage, variables=variables)
        before = leaked_and_closed(stage)
        stage.controller.stop()
        stage.controller.start()
        assert b"engine." in b"".join(spans)
        assert_told_nowhere(stage, before | pair(stage) | secrets_kept(stage), spans)


def leaked_and_closed(stage: Stage) -> set[str]:
    """Asked about, confirmed, done; returns the keys of before."""
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
    doctor = json.loads(stage.controller.cli("doctor", "--json").stdout)["diagnoses"]
    conditions = {one["part"]: one["condition"] for one in doctor}
    assert (conditions["secrets"], conditions[f"keys of local/{stage.name}"]) == ("ok", "ok")
    return before


def test_a_rotation_waits_for_a_rollout_and_then_goes_its_way(a_stage: StageMaker) -> None:
    stage = with_keys(a_stage)
    before = pair(stage)
    assert stage.start("green").status_code == 201
    stage.eventually(lambda: stage.at("canary 20 %"))

    assert rotate(stage, "one", in_use="primary")
    waiting = stage.controller.cli("keys", "status", stage.name)
    kept = pair(stage)
    assert stage.order("abort").status_code == 200
    stage.eventually(lambda: rotation_phase(stage) == "rotated")

    assert "which is measuring; --forced goes on between its steps" in waiting.stdout, (
        f"{waiting.stdout}\n{report(stage)}\n{stage.report()}"
    )
    assert kept == before
    assert not before & pair(stage)
    assert stage.outcome() == "aborted"


def test_a_forced_rotation_goes_its_way_between_the_steps_of_a_rollout(a_stage: StageMaker) -> None:
    stage = with_keys(a_stage)
    before = pair(stage)
    assert stage.start("green").status_code == 201
    stage.eventually(lambda: stage.at("canary 20 %"))

    assert rotate(stage, "one", in_use="primary", forced=True)
    stage.eventually(lambda: rotation_phase(stage) == "rotated")

    assert not before & pair(stage)
    assert (stage.outcome(), stage.map) == (None, live(blue=80, green=20))


@pytest.mark.parametrize("mode", ["AMLToken", "AADToken"])
def test_an_endpoint_of_tokens_is_refused_with_the_reason(a_stage: StageMaker, mode: str) -> None:
    stage = with_keys(a_stage)
    stage.emulator.endpoint(stage.name, {"blue": 100}, authMode=mode)

    asked = stage.controller.cli("keys", "rotate", stage.name, "--as", "anna")
    status = stage.controller.cli("keys", "status")

    assert asked.returncode != 0
    assert "endpoints have no keys to rotate" in asked.stderr
    assert f"{mode[:3].lower()}_token endpoints have no keys" in status.stdout


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
