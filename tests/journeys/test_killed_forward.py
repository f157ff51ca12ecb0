"""Killed at every save, message and call to Azure on the way forward, it still gets there."""

from pathlib import Path

import pytest

from tests.journeys.conftest import StageMaker
from tests.journeys.policies import CAREFUL
from tests.journeys.scripts import BETTER
from tests.journeys.stage import live, mirrored
from tests.journeys.supervisor import supervised

pytestmark = pytest.mark.journey

FORWARD = "preparing,smoking,shifting,measuring,retiring,promoted"
DELETING = CAREFUL.replace("{baseline: keep}", "{baseline: delete}")


def test_a_good_canary_is_promoted_whatever_dies(a_stage: StageMaker, tmp_path: Path) -> None:
    supervisor = supervised(a_stage, tmp_path, DELETING, FORWARD, BETTER)
    stage = supervisor.stage

    with stage.visited() as users:
        supervisor.until(lambda: supervisor.starts("green"), seconds=60)
        supervisor.until(lambda: stage.outcome() is not None, seconds=180)
    supervisor.until_it_lived_through("SqliteQueue.complete after, promoted")

    assert stage.outcome() == "promoted", stage.report()
    assert len(supervisor.died_at) == supervisor.deaths >= 35
    assert stage.writes == [
        mirrored(50, "green", blue=100),
        live(blue=100),
        live(blue=70, green=30),
        live(blue=40, green=60),
        live(green=100),
    ]
    stage.assert_whole()
    assert not users.failed
