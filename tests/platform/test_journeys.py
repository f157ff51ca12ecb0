"""From a POST to the end of a rollout, in the process that Azure would run."""

import pytest

from tests.journeys.policies import CAREFUL, UNMIRRORED
from tests.journeys.scripts import BAD, BETTER
from tests.journeys.stage import live, mirrored
from tests.platform.conftest import StageMaker

pytestmark = pytest.mark.journey

SECONDS = 180.0


def test_a_posted_start_ends_with_all_traffic_on_a_good_canary(a_stage: StageMaker) -> None:
    stage = a_stage(CAREFUL, green=BETTER)

    with stage.visited() as users:
        answer = stage.start("green")
        stage.eventually(stage.outcome, SECONDS)

    assert answer.status_code == 201, answer.text
    assert stage.outcome() == "promoted", stage.report()
    assert stage.different_writes == [
        mirrored(50, "green", blue=100),
        live(blue=100),
        live(blue=70, green=30),
        live(blue=40, green=60),
        live(green=100),
    ]
    assert not users.failed
    stage.assert_whole()


def test_a_posted_start_of_a_bad_canary_ends_with_the_map_of_before(a_stage: StageMaker) -> None:
    stage = a_stage(UNMIRRORED, green=BAD)

    with stage.visited():
        answer = stage.start("green")
        stage.eventually(stage.outcome, SECONDS)

    assert answer.status_code == 201, answer.text
    assert stage.outcome() == "rolled_back", stage.report()
    assert stage.map == live(blue=100)
    stage.assert_whole()
