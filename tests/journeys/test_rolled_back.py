"""A bad canary is rolled back on evidence, and the numbers are told."""

import pytest

from tests.journeys.conftest import StageMaker
from tests.journeys.policies import CAREFUL, UNMIRRORED
from tests.journeys.scripts import BAD
from tests.journeys.stage import live, mirrored

pytestmark = pytest.mark.journey


def test_a_bad_canary_is_rolled_back_on_evidence(a_stage: StageMaker) -> None:
    stage = a_stage(UNMIRRORED, green=BAD)

    with stage.visited(bad={"green"}) as users:
        done = stage.controller.cli("start", stage.name, "green", "--wait", "--as", "anna")

    assert done.returncode == 1, done.stdout + done.stderr + stage.report()
    assert stage.writes == [live(blue=70, green=30), live(blue=100)]
    assert stage.map == live(blue=100)
    assert {name for name, _ in users.failed} == {"green"}
    told = stage.controller.cli("explain", stage.name).stdout
    assert "error rate (fail): fail; " in told
    assert "back" in told


def test_a_canary_that_fails_only_in_the_mirror_never_serves(a_stage: StageMaker) -> None:
    stage = a_stage(CAREFUL, green=BAD)

    with stage.visited() as users:
        done = stage.controller.cli("start", stage.name, "green", "--wait", "--as", "anna")

    assert done.returncode == 1, done.stdout + done.stderr + stage.report()
    assert stage.writes == [mirrored(50, "green", blue=100), live(blue=100)]
    assert not users.failed
    assert not users.served("green")
