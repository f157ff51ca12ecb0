"""A rollout's whole life is read from the event stream, while it runs and across a restart."""

import json
from threading import Event, Thread

import pytest
import requests

from tests.journeys.conftest import StageMaker
from tests.journeys.controller import JSON, Controller
from tests.journeys.policies import STEADY
from tests.journeys.scripts import BETTER
from tests.journeys.stage import Stage

pytestmark = pytest.mark.journey

FEW = 10


class Listener(Thread):
    """Opens the stream again and again, each time with the last id it heard."""

    def __init__(self, controller: Controller) -> None:
        super().__init__(daemon=True)
        self.controller = controller
        self.heard: list[JSON] = []
        self.ids: list[int] = []
        self.broken = 0
        self.done = Event()
        self._place = ""
        self._open("events?after=0&wait=0")

    def run(self) -> None:
        while not self.done.is_set():
            try:
                self._open("events?wait=2")
            except requests.RequestException:
                self.broken += 1
                self.done.wait(0.2)

    def _open(self, path: str) -> None:
        headers = {"Last_Event_ID": self._place} if self._place else {}
        answer = self.controller.ask("GET", path, **headers)
        answer.raise_for_status()
        for block in answer.text.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines())
            self._place = fields.get("id", self._place)
            if "data" in fields:
                self.heard.append(json.loads(fields["data"]))
                self.ids.append(int(self._place))


def test_nothing_is_lost_and_nothing_comes_twice(a_stage: StageMaker) -> None:
    stage = a_stage(STEADY, green=BETTER)
    listener = Listener(stage.controller)
    listener.start()
    assert stage.start("green").status_code == 201
    stage.eventually(lambda: stage.at("canary 20 %"))
    _eventually_heard(stage, listener, "StartRequested")

    stage.controller.kill()
    stage.controller.start()
    with stage.visited(FEW):
        assert stage.order("promote").status_code == 200
        stage.eventually(lambda: stage.at("bake 100 %"))
        assert stage.order("promote").status_code == 200
        stage.eventually(lambda: stage.outcome() == "promoted")
    last = stage.history[-1]["number"]
    stage.eventually(lambda: listener.heard[-1]["entry"]["number"] == last)
    listener.done.set()
    told = stage.controller.cli("events", "--endpoint", stage.name, "--last", "1000", "--json")

    assert [one["entry"] for one in listener.heard] == stage.history
    assert {one["endpoint"] for one in listener.heard} == {f"local/{stage.name}"}
    assert listener.ids == sorted(set(listener.ids))
    assert listener.broken > 0
    assert json.loads(told.stdout)["events"] == listener.heard


def _eventually_heard(stage: Stage, listener: Listener, event: str) -> None:
    stage.eventually(lambda: any(one["entry"]["event"] == event for one in listener.heard))
