"""A controller that dies at every place where it can, once, and is alive again at once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.journeys.conftest import StageMaker
from tests.journeys.stage import Stage
from tests.journeys.undying import deaths_of


@dataclass
class Supervisor:
    """Watches it, and knows what it died of."""

    stage: Stage
    places: Path

    def until(self, look: Callable[[], bool], seconds: float) -> None:
        self.stage.eventually(lambda: self._goes_on() and look(), seconds)

    def until_it_lived_through(self, last: str) -> None:
        """Until it has died at that place too, and stands again."""
        self.until(lambda: last in self.died_at and bool(self.stage.view), seconds=30)

    @property
    def died_at(self) -> list[str]:
        return self.places.read_text().splitlines()

    @property
    def deaths(self) -> int:
        return len(deaths_of(self.places).read_text().splitlines())

    def starts(self, deployment: str) -> bool:
        """Ask for the rollout, with the same key however often it takes."""
        try:
            answer = self.stage.start(deployment, key="only-once")
        except requests.RequestException:
            return False
        assert answer.status_code == 201, answer.text
        return True

    def _goes_on(self) -> bool:
        controller = self.stage.controller
        assert not controller.dead, f"not killed, and ended: {controller.log[-2000:]}"
        return True


def supervised(
    a_stage: StageMaker, folder: Path, policy: str, phases: str, green: str
) -> Supervisor:
    places = folder / "places"
    launcher = ("tests.journeys.undying", str(places), phases)
    return Supervisor(a_stage(policy, launcher=launcher, green=green), places)
