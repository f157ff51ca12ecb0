"""Killed at every save, message and call to Azure on the way back, it still gets there."""

from pathlib import Path

import pytest

from tests.journeys.conftest import StageMaker
from tests.journeys.policies import UNMIRRORED
from tests.journeys.scripts import BAD
from tests.journeys.stage import live
from tests.journeys.supervisor import supervised

pytestmark = pytest.mark.journey

BACK = "rolling_back,rolled_back"


def test_a_bad_canary_is_rolled_back_whatever_dies(a_stage: StageMaker, tmp_path: Path) -> None:
    supervisor = supervised(a_stage, tmp_path, UNMIRRORED, BACK, BAD)
    stage = supervisor.stage

    with stage.visited(bad={"green"}) as users:
        supervisor.until(lambda: supervisor.starts("green"), seconds=60)
        supervisor.until(lambda: stage.outcome() is not None, seconds=120)
    supervisor.until_it_lived_through("SqliteQueue.complete after, rolled_back")

    assert stage.outcome() == "rolled_back", stage.report()
    assert supervisor.deaths >= 8
    assert stage.different_writes == [live(blue=70, green=30), live(blue=100)]
    stage.assert_whole()
    assert {name for name, _ in users.failed} == {"green"}
