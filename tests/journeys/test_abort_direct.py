"""With the controller killed, a person gives the traffic back, and it agrees when it is there."""

import json
import signal

import pytest

from tests.journeys.conftest import StageMaker
from tests.journeys.policies import STEADY
from tests.journeys.scripts import BETTER
from tests.journeys.stage import Stage, live
from tests.journeys.stinted import LAUNCHER

pytestmark = pytest.mark.journey

ASKING = STEADY.replace(
    "  - canary: {weight: 50, shortest_minutes: 600, longest_minutes: 700}",
    "  - approval: {by: [], deadline_minutes: 600}",
)
FEW = 10
FIRST, START = live(blue=80, green=20), live(blue=100)


def _killed_on_the_way(a_stage: StageMaker) -> Stage:
    stage = a_stage(STEADY, green=BETTER)
    assert stage.start("green").status_code == 201
    stage.eventually(lambda: stage.at("canary 20 %"))
    stage.controller.kill()
    return stage


def test_an_abort_without_a_controller_is_what_it_finds_when_it_is_back(
    a_stage: StageMaker,
) -> None:
    stage = _killed_on_the_way(a_stage)
    at = stage.emulator
    ref = f"{at.subscription}/{at.resource_group}/{at.workspace}/{stage.name}"
    asked = ("abort", "--direct", ref, "--why", "it is night", "--as", "berta", "--json")

    with stage.visited(FEW):
        lost = stage.controller.cli("abort", stage.name)
        done = stage.controller.cli(*asked, ROLLOUT_ARM_URL=at.url)
        writes = stage.writes
        stage.controller.start()
        stage.eventually(stage.outcome)

    assert lost.returncode == 5
    assert "rollout abort --direct" in lost.stderr
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["now"] == {"live": {"blue": 100}, "mirror": {}}
    assert writes == [FIRST, START]
    assert stage.writes == writes
    assert stage.outcome() == "aborted"
    assert stage.view["rollback"]["why"] == "aborted at Azure by berta: it is night"
    assert stage.map == START


def test_an_abort_past_a_controller_that_waits_for_approval_and_cannot_save_is_agreed_with(
    a_stage: StageMaker,
) -> None:
    stage = a_stage(ASKING, launcher=LAUNCHER, green=BETTER)
    assert stage.start("green").status_code == 201
    stage.eventually(lambda: stage.at("canary 20 %"))
    assert stage.order("skip").status_code == 200
    stage.eventually(lambda: stage.phase("approving"))
    arm_id = f"{stage.emulator.workspace_id}/onlineEndpoints/{stage.name}"

    with stage.visited(FEW):
        _tell(stage, signal.SIGUSR1)
        refused = stage.order("approve")
        done = stage.controller.cli("abort", "--direct", arm_id, "--arm-url", stage.emulator.url)
        saved = stage.phase("approving")
        _tell(stage, signal.SIGUSR2)
        stage.eventually(stage.outcome)

    assert refused.status_code == 503
    assert done.returncode == 0, done.stderr
    assert saved
    assert stage.outcome() == "aborted"
    assert stage.different_writes == [FIRST, START]
    stage.assert_whole()


def _tell(stage: Stage, number: int) -> None:
    assert stage.controller.process
    stage.controller.process.send_signal(number)


def test_an_endpoint_that_tells_no_way_back_asks_for_one(a_stage: StageMaker) -> None:
    stage = a_stage(STEADY, up=False, green=BETTER)
    arm_id = f"{stage.emulator.workspace_id}/onlineEndpoints/{stage.name}"
    direct = ("abort", "--direct", arm_id, "--arm-url", stage.emulator.url)

    with stage.visited(FEW):
        nothing = stage.controller.cli(*direct)
        nobody = stage.controller.cli(*direct, "--to", "red")
        done = stage.controller.cli(*direct, "--to", "green")

    assert (nothing.returncode, nobody.returncode) == (4, 4)
    assert "tells no way back" in nothing.stderr
    assert "--to DEPLOYMENT; there are: blue, green" in nothing.stderr
    assert "has no deployment red" in nobody.stderr
    assert done.returncode == 0, done.stderr
    assert stage.map == live(green=100)
