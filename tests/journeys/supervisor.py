"""Who starts a controller again whenever it has died: at every place where it can, once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.journeys.conftest import StageMaker
from tests.journeys.stage import Stage


@dataclass
class Supervisor:
    """Starts a controller again whenever it has died."""

    stage: Stage
    places: Path
    deaths: int = 0

    def until(self, look: Callable[[], bool], seconds: float) -> None:
        self.stage.eventually(lambda: self._revive() and look(), seconds)

    def _revive(self) -> bool:
        """Whether it lives; if not, it is started."""
        if not self.stage.controller.dead:
            return True
        self.deaths += 1
        self.stage.controller.launch()
        return False

    def until_it_lived_through(self, last: str) -> None:
        """Until it has died at that place too, and stands again."""
        self.until(lambda: last in self.died_at and bool(self.stage.view), seconds=30)

    @property
    def died_at(self) -> list[str]:
        return self.places.read_text().splitlines()

    def starts(self, deployment: str) -> bool:
        """Ask for the rollout, with the same key however often it takes."""
        try:
            answer = self.stage.start(deployment, key="only-once")
        except requests.RequestException:
            return False
        assert answer.status_code == 201, answer.text
        return True


def supervised(
    a_stage: StageMaker, folder: Path, policy: str, phases: str, green: str
) -> Supervisor:
    places = folder / "places"
    launcher = ("tests.journeys.mortal", str(places), phases)
    return Supervisor(a_stage(policy, launcher=launcher, green=green), places)
