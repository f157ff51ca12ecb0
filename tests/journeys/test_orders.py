"""What people, alerts and strangers do to a rollout on its way, and how it takes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tests.journeys.conftest import StageMaker
from tests.journeys.policies import GUARDS, STEADY
from tests.journeys.scripts import BETTER
from tests.journeys.stage import Stage, live

pytestmark = pytest.mark.journey

FEW = 10
START, FIRST, SECOND, FULL = (
    live(blue=100),
    live(blue=80, green=20),
    live(blue=50, green=50),
    live(green=100),
)
ASKING = f"""
schema: 1
match: {{endpoint: "*"}}
stages:
  - approval: {{by: [berta, carl], quorum: 2, deadline_minutes: 600}}
  - canary: {{weight: 20, shortest_minutes: 600, longest_minutes: 700}}
{GUARDS}"""


@contextmanager
def on_the_way(a_stage: StageMaker, policy: str = STEADY) -> Iterator[Stage]:
    """A rollout that measures its first canary stage, and stays there."""
    stage = a_stage(policy, green=BETTER)
    with stage.visited(FEW) as users:
        assert stage.start("green").status_code == 201
        stage.eventually(lambda: stage.at("canary 20 %"))
        yield stage
    assert not users.failed


def test_an_abort_gives_all_traffic_back(a_stage: StageMaker) -> None:
    with on_the_way(a_stage) as stage:
        watching = stage.controller.cli_beside("watch", stage.name)

        done = stage.controller.cli("abort", stage.name, "--why", "complaints", "--as", "berta")
        told, _ = watching.communicate(timeout=60)

    assert done.returncode == 0, done.stderr
    assert watching.returncode == 3, told
    assert stage.outcome() == "aborted"
    assert stage.view["rollback"]["why"] == "aborted by berta: complaints"
    assert stage.writes == [FIRST, START]
    assert stage.map == START


def test_a_pause_holds_and_a_resume_goes_on(a_stage: StageMaker) -> None:
    with on_the_way(a_stage) as stage:
        paused = stage.controller.cli("pause", stage.name, "--why", "launch day", "--as", "berta")
        held = stage.view
        resumed = stage.controller.cli("resume", stage.name, "--as", "berta")
        going = stage.view

    assert (paused.returncode, resumed.returncode) == (0, 0), paused.stderr + resumed.stderr
    assert (held["phase"], held["waits_for"]) == ("holding", "paused by berta: launch day")
    assert held["needs_person"]
    assert going["phase"] == "measuring"
    assert stage.writes == [FIRST]


def test_a_promotion_by_hand_can_be_undone(a_stage: StageMaker) -> None:
    with on_the_way(a_stage) as stage:
        stage.controller.cli("promote", stage.name, "--as", "berta")
        stage.eventually(lambda: stage.at("bake 100 %"))
        stage.controller.cli("promote", stage.name, "--as", "berta")
        stage.eventually(lambda: stage.outcome() == "promoted")

        undone = stage.controller.cli("undo", stage.name, "--why", "too slow", "--as", "carl")
        watched = stage.controller.cli("watch", stage.name)

    assert undone.returncode == 0, undone.stderr
    assert watched.returncode == 3, watched.stdout
    assert stage.outcome() == "undone"
    assert stage.writes == [FIRST, FULL, START]
    assert stage.map == START


def test_a_change_by_hand_is_named_and_waits_for_a_person(a_stage: StageMaker) -> None:
    with on_the_way(a_stage) as stage:
        stage.set_by_hand(blue=55, green=45)
        stage.eventually(lambda: stage.phase("holding"))
        held = stage.view
        resumed = stage.controller.cli("resume", stage.name, "--as", "berta")
        stage.eventually(lambda: stage.at("canary 20 %"))

    found = "someone else set the traffic to blue 55 %, green 45 %"
    assert held["waits_for"].startswith(found)
    assert f"rollout resume local/{stage.name}" in held["remedy"]
    assert resumed.returncode == 0, resumed.stderr
    assert stage.writes == [FIRST, live(blue=55, green=45), FIRST]


def test_people_who_may_approve_let_it_go_on(a_stage: StageMaker) -> None:
    stage = a_stage(ASKING, green=BETTER)
    with stage.visited(FEW):
        assert stage.start("green").status_code == 201
        stage.eventually(lambda: stage.phase("approving"))

        answers = {
            who: stage.controller.cli("approve", stage.name, "--as", who)
            for who in ("mallory", "berta", "carl")
        }
        stage.eventually(lambda: stage.at("canary 20 %"))

    assert {who: one.returncode for who, one in answers.items()} == {
        "mallory": 4,
        "berta": 0,
        "carl": 0,
    }
    assert "mallory may not approve; ask berta, carl" in answers["mallory"].stderr
    assert "1 of 2" in answers["berta"].stdout
    assert stage.writes == [FIRST]


def test_an_alert_that_names_the_canary_rolls_back_once(a_stage: StageMaker) -> None:
    with on_the_way(a_stage) as stage:
        alert = _alert(stage)
        answers = [stage.controller.ask("POST", "alerts", alert) for _ in range(2)]
        stage.eventually(stage.outcome)

    assert [one.status_code for one in answers] == [202, 202]
    assert "alert too many complaints (Sev1) fired" in answers[0].json()["decided"]
    assert stage.outcome() == "rolled_back"
    assert stage.writes == [FIRST, START]
    assert [one["who"] for one in stage.history].count("alert too many complaints") == 1


def _alert(stage: Stage) -> dict[str, object]:
    """As Azure Monitor sends it, in the common schema."""
    target = f"{stage.emulator.workspace_id}/onlineEndpoints/{stage.name}/deployments/green"
    essentials = {
        "alertId": "/subscriptions/s/providers/Microsoft.AlertsManagement/alerts/a1",
        "alertRule": "too many complaints",
        "severity": "Sev1",
        "signalType": "Metric",
        "monitorCondition": "Fired",
        "alertTargetIDs": [target],
        "firedDateTime": datetime.now(UTC).isoformat(),
        "essentialsVersion": "1.0",
    }
    return {"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": essentials}}
