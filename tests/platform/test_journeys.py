"""From a request, a webhook or an event to the end of a rollout, on all of Azure's own parts."""

import pytest

from tests.journeys.announcing import (
    BY_EVENT_GRID,
    BY_GITHUB,
    announced_by_github,
    deployment_written,
)
from tests.journeys.policies import CAREFUL, SHORT, UNMIRRORED
from tests.journeys.scripts import BAD, BETTER
from tests.journeys.stage import live, mirrored
from tests.platform.conftest import StageMaker

pytestmark = pytest.mark.journey

SECONDS = 180.0


def test_a_good_canary_that_github_announced_ends_with_all_traffic(a_stage: StageMaker) -> None:
    stage = a_stage(CAREFUL + BY_GITHUB, green=BETTER)

    with stage.visited() as users:
        answer = announced_by_github(stage)
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


def test_a_bad_canary_that_github_announced_ends_with_the_map_of_before(
    a_stage: StageMaker,
) -> None:
    stage = a_stage(UNMIRRORED + BY_GITHUB, green=BAD)

    with stage.visited(bad={"green"}):
        foreign = announced_by_github(stage, "guessed")
        begun = [announced_by_github(stage) for _ in range(2)]
        stage.eventually(stage.outcome, SECONDS)

    assert (foreign.status_code, [one.status_code for one in begun]) == (401, [201, 201])
    assert begun[0].json()["id"] == begun[1].json()["id"]
    assert stage.outcome() == "rolled_back", stage.report()
    assert stage.map == live(blue=100)
    stage.assert_whole()


def test_an_event_of_event_grid_starts_a_rollout(a_stage: StageMaker) -> None:
    stage = a_stage(SHORT + BY_EVENT_GRID, green=BETTER)

    with stage.visited() as users:
        stage.storage.publish(deployment_written(stage))
        stage.eventually(stage.outcome, SECONDS)

    assert stage.outcome() == "promoted", stage.report()
    assert stage.view["who"] == "Event Grid"
    assert stage.different_writes == [live(blue=50, green=50), live(green=100)]
    assert stage.storage.broker.messages("events") == []
    assert stage.storage.broker.dead("events") == []
    assert not users.failed
    stage.assert_whole()
