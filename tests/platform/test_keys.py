"""Keys are rotated on all of Azure's own parts, and a process is killed on the way."""

import json
from pathlib import Path

import pytest

from tests.journeys.policies import STEADY
from tests.journeys.test_keys import ROTATION, SWITCHES, holders, pair, rotate, rotation_phase
from tests.platform.conftest import StageMaker
from tests.platform.deployed import DeployedStage

pytestmark = pytest.mark.journey

SECONDS = 180.0
EVENT = "Microsoft.KeyVault.SecretNearExpiry"


def kept(stage: DeployedStage) -> list[dict[str, object]]:
    """The versions of the endpoint's secret."""
    content = json.loads((stage.controller.data / "secrets.json").read_text())["secrets"]
    versions: list[dict[str, object]] = content[f"{stage.name}-key"]
    return versions


def near_expiry(stage: DeployedStage) -> bytes:
    """What Key Vault says of the current version."""
    about = {
        "VaultName": "ops",
        "ObjectName": f"{stage.name}-key",
        "Version": kept(stage)[-1]["id"],
    }
    event = {"id": "e1", "eventType": EVENT, "subject": stage.name, "topic": "/vaults/ops"}
    return json.dumps([{**event, "eventTime": "2026-03-02T12:00:00Z", "data": about}]).encode()


def test_a_rotation_outlives_its_process_and_the_next_one_begins_by_an_event(
    a_stage: StageMaker, tmp_path: Path
) -> None:
    stage = a_stage(STEADY)
    (stage.controller.policies / "keys.yaml").write_text(ROTATION)
    first = pair(stage)
    stage.emulator.switch(**SWITCHES)
    assert rotate(stage, "one", in_use="primary")

    stage.eventually(lambda: rotation_phase(stage) in {"renewing_spare", "proving"})
    stage.controller.kill()
    stage.eventually(lambda: rotation_phase(stage) == "rotated", SECONDS)
    second = pair(stage)
    with holders(stage, tmp_path) as out:
        stage.storage.publish(near_expiry(stage))
        stage.eventually(lambda: pair(stage).isdisjoint(second), SECONDS)
        stage.eventually(lambda: rotation_phase(stage) == "rotated", SECONDS)

    assert set(json.loads(out.read_text())["answers"]) == {"200"}
    assert not first & second
    assert len(kept(stage)) == 2
    assert kept(stage)[-1]["value"] in pair(stage)
    assert stage.storage.broker.dead("steps") == []
    assert stage.storage.broker.messages("events") == []
    entries = stage.controller.ask("GET", f"keys/{stage.name}/history").json()["entries"]
    begun = [one["who"] for one in entries if one["event"] == "RotationRequested"]
    assert begun == ["anna", "key vault"]
