"""A good canary goes all the way, and nobody notices."""

import pytest

from tests.journeys.conftest import StageMaker
from tests.journeys.policies import CAREFUL
from tests.journeys.scripts import BETTER
from tests.journeys.stage import live, mirrored

pytestmark = pytest.mark.journey

STEPS = [
    mirrored(50, "green", blue=100),
    live(blue=100),
    live(blue=70, green=30),
    live(blue=40, green=60),
    live(green=100),
]
TOLD = (
    "anna asked for the start",
    "all 5 smoke requests were answered as expected",
    "mirror 50 % passed all its guards",
    "canary 30 % passed all its guards",
    "canary 60 % passed all its guards",
    "bake 100 % passed all its guards",
    "green serves 100 % and the rollout is over",
)


def test_a_good_canary_is_promoted_without_a_failed_request(a_stage: StageMaker) -> None:
    stage = a_stage(CAREFUL, green=BETTER)

    with stage.visited() as users:
        done = stage.controller.cli("start", stage.name, "green", "--wait", "--as", "anna")

    assert done.returncode == 0, done.stdout + done.stderr + stage.report()
    assert stage.writes == STEPS
    assert not users.failed
    assert users.served("green") > 100
    stage.assert_whole()
    told = stage.controller.cli("explain", stage.name).stdout
    assert [one for one in TOLD if one not in told] == []
