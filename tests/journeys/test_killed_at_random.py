"""kill -9 at moments that nobody chose, on the way forward and on the way back."""

import os
import random
import time
from collections.abc import Callable

import pytest

from tests.journeys.conftest import StageMaker
from tests.journeys.policies import CAREFUL
from tests.journeys.scripts import BAD, BETTER
from tests.journeys.stage import Stage, live, mirrored

pytestmark = pytest.mark.journey

LAUNCHER = ("tests.journeys.mortal", os.devnull, "nowhere")
"""A host that is less patient with the dead, and does not die by itself."""


class Fate:
    """Kills the controller at random moments, so many times, and starts it again."""

    def __init__(self, stage: Stage, seed: int, deaths: int, apart: tuple[float, float]) -> None:
        self._stage = stage
        self._random = random.Random(seed)
        self._apart = apart
        self.left = deaths
        self._next = self._soon()

    def until(self, look: Callable[[], object], seconds: float) -> None:
        self._stage.eventually(lambda: not self._struck() and look(), seconds)

    def _struck(self) -> bool:
        if not self.left or time.monotonic() < self._next:
            return False
        self.left -= 1
        self._stage.controller.kill()
        self._stage.controller.start()
        self._next = self._soon()
        return True

    def _soon(self) -> float:
        return time.monotonic() + self._random.uniform(*self._apart)


@pytest.mark.parametrize("seed", [1])
def test_random_deaths_do_not_stop_a_good_canary(a_stage: StageMaker, seed: int) -> None:
    stage = a_stage(CAREFUL, launcher=LAUNCHER, green=BETTER)

    with stage.visited() as users:
        watching = stage.controller.cli_beside("start", stage.name, "green", "--wait")
        stage.eventually(lambda: stage.view)
        fate = Fate(stage, seed, deaths=6, apart=(0.3, 3))
        fate.until(stage.outcome, seconds=150)
        told, _ = watching.communicate(timeout=30)

    assert stage.outcome() == "promoted", stage.report()
    assert watching.returncode == 0, told
    assert fate.left < 4
    stage.assert_whole()
    assert stage.writes == [
        mirrored(50, "green", blue=100),
        live(blue=100),
        live(blue=70, green=30),
        live(blue=40, green=60),
        live(green=100),
    ]
    assert not users.failed


@pytest.mark.parametrize("seed", [2])
def test_random_deaths_do_not_stop_the_way_back(a_stage: StageMaker, seed: int) -> None:
    stage = a_stage(CAREFUL, launcher=LAUNCHER, green=BAD)
    stage.emulator.switch(operation_seconds=10)

    with stage.visited():
        assert stage.start("green").status_code == 201
        stage.eventually(lambda: stage.phase("rolling_back"), seconds=90)
        fate = Fate(stage, seed, deaths=4, apart=(0.1, 0.6))
        fate.until(stage.outcome, seconds=90)
    stage.emulator.switch(operation_seconds=0.3)

    assert stage.outcome() == "rolled_back", stage.report()
    assert fate.left < 3
    assert stage.different_writes == [mirrored(50, "green", blue=100), live(blue=100)]
    assert stage.map == live(blue=100)
