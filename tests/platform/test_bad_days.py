"""Brokers that go away and processes that are killed, on all of Azure's own parts."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.journeys.policies import SHORT, UNMIRRORED
from tests.journeys.scripts import BETTER
from tests.journeys.stage import live
from tests.platform.conftest import StageMaker

pytestmark = pytest.mark.journey

SECONDS = 180.0
ONWARD = [live(blue=70, green=30), live(blue=40, green=60), live(green=100)]


def test_a_broker_that_goes_away_and_a_process_that_is_killed_cost_only_time(
    a_stage: StageMaker,
) -> None:
    stage = a_stage(UNMIRRORED, green=BETTER)
    broker = stage.storage.broker

    with stage.visited() as users:
        assert stage.start("green").status_code == 201
        stage.eventually(lambda: stage.at("canary 30 %"))
        broker.stop()
        paused, resumed = stage.order("pause"), stage.order("resume")
        broker.start()
        stage.eventually(lambda: stage.at("canary 60 %"))
        stage.controller.kill()
        stage.eventually(stage.outcome, SECONDS)

    assert (paused.status_code, resumed.status_code) == (200, 200)
    assert stage.outcome() == "promoted", stage.report()
    assert stage.different_writes == ONWARD
    assert stage.controller.saw_trouble
    assert broker.dead("steps") == []
    assert not users.failed
    stage.assert_whole()


def test_two_deployments_of_the_app_on_one_account_decide_everything_once(
    a_stage: StageMaker,
) -> None:
    """Each has a namespace of its own; one loses it for good, with all that is in it."""
    stage = a_stage(SHORT, green=BETTER)
    apps = [stage, stage.another_app()]

    with stage.visited() as users:
        with ThreadPoolExecutor(len(apps)) as threads:
            begun = list(threads.map(lambda app: app.start("green"), apps))
        stage.eventually(lambda: stage.at("canary 50 %"))
        busy = next(app for app in apps if app.storage.broker.messages("steps"))
        busy.storage.broker.stop()
        stage.eventually(stage.outcome, SECONDS)

    assert [one.status_code for one in begun] == [201, 201]
    assert begun[0].json()["id"] == begun[1].json()["id"]
    assert stage.outcome() == "promoted", stage.report()
    assert stage.different_writes == [live(blue=50, green=50), live(green=100)]
    assert not users.failed
    stage.assert_whole()
