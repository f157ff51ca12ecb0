"""A store is copied while its controller works, lost, put back; and its history is whole."""

import pytest

from tests.journeys.conftest import StageMaker
from tests.journeys.policies import STEADY
from tests.journeys.scripts import BETTER
from tests.journeys.stage import live

pytestmark = pytest.mark.journey

FEW = 10


def test_a_restored_controller_goes_on_with_the_rollout(a_stage: StageMaker) -> None:
    stage = a_stage(STEADY, green=BETTER)
    cli, copy = stage.controller.cli, str(stage.folder / "copy.db")
    export = stage.folder / "history.jsonl"
    assert stage.start("green").status_code == 201
    stage.eventually(lambda: stage.at("canary 20 %"))

    with stage.visited(FEW):
        copied = cli("backup", copy)
        refused = cli("restore", copy)
        stage.controller.kill()
        for name in ("rollout.db", "rollout.db-wal", "rollout.db-shm"):
            (stage.controller.data / name).unlink(missing_ok=True)
        restored = cli("restore", copy)
        stage.controller.start()
        aborted = cli("abort", stage.name, "--as", "berta")
        stage.eventually(stage.outcome)
    verified = cli("audit", "verify", stage.name)
    export.write_text(cli("audit", "export", stage.name).stdout.replace("berta", "carla"))
    forged = cli("audit", "verify", "--file", str(export))

    assert (copied.returncode, restored.returncode) == (0, 0), copied.stderr + restored.stderr
    assert (refused.returncode, "runs here already" in refused.stderr) == (4, True)
    assert aborted.returncode == 0, aborted.stderr
    assert stage.writes == [live(blue=80, green=20), live(blue=100)]
    assert verified.returncode == 0, verified.stdout
    assert verified.stdout.startswith(f"✔ local/{stage.name}: ")
    assert (forged.returncode, "was changed" in forged.stdout) == (1, True)
    stage.assert_whole()
