"""Two controllers over one data folder at the same time: nothing is decided twice."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests

from tests.journeys.conftest import StageMaker
from tests.journeys.controller import Controller, free_port
from tests.journeys.policies import UNMIRRORED
from tests.journeys.scripts import BETTER
from tests.journeys.stage import Stage, live

pytestmark = pytest.mark.journey


def a_second(stage: Stage) -> Controller:
    """Another one on the same folder; it is refused as long as it can see the first."""
    second = replace(stage.controller, port=free_port(), process=None)
    (second.data / "url").unlink()
    second.start()
    return second


def at_once(stage: Stage, controllers: Sequence[Controller]) -> list[requests.Response]:
    """The same start, asked of all at the same moment."""
    body = {"endpoint": stage.name, "deployment": "green", "who": "anna"}

    def ask(controller: Controller) -> requests.Response:
        return controller.ask("POST", "rollouts", body, Idempotency_Key="only-once")

    with ThreadPoolExecutor(len(controllers)) as threads:
        return list(threads.map(ask, controllers))


def test_a_second_controller_on_the_same_folder_is_refused(a_stage: StageMaker) -> None:
    stage = a_stage(UNMIRRORED)
    data = str(stage.controller.data)

    second = stage.controller.cli("up", "--data", data, "--port", "0", seconds=30)

    assert second.returncode == 4
    assert f"a controller runs here already: {stage.controller.url}" in second.stderr
    assert "rollout up --data FOLDER" in second.stderr


def test_what_two_controllers_do_is_done_once(a_stage: StageMaker) -> None:
    stage = a_stage(UNMIRRORED, green=BETTER)
    second = a_second(stage)

    with stage.visited() as users:
        answers = at_once(stage, [stage.controller, second, stage.controller, second])
        stage.eventually(stage.outcome, seconds=120)
    second.stop()

    assert {one.status_code for one in answers} == {201}
    assert len({one.json()["id"] for one in answers}) == 1
    assert stage.outcome() == "promoted", stage.report()
    assert stage.writes == [
        live(blue=70, green=30),
        live(blue=40, green=60),
        live(green=100),
    ]
    stage.assert_whole()
    assert not users.failed
