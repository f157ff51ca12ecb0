"""A rollout that nobody typed: started by a signed payload of GitHub, stopped by an alert."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.doors.payloads import payload
from tests.journeys.announcing import BY_GITHUB, announced_by_github
from tests.journeys.conftest import StageMaker
from tests.journeys.policies import STEADY
from tests.journeys.scripts import BETTER
from tests.journeys.stage import Stage, live

pytestmark = pytest.mark.journey


def test_started_by_github_and_stopped_by_an_alert(
    a_stage: StageMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = a_stage(STEADY + BY_GITHUB, green=BETTER)
    with stage.visited(10) as users:
        foreign = announced_by_github(stage, "guessed")
        begun = [announced_by_github(stage) for _ in range(2)]
        stage.eventually(lambda: stage.at("canary 20 %"))
        fired_at = datetime.now(UTC)
        answer = stage.controller.ask("POST", "alerts", _alert(stage, fired_at))
        stage.eventually(stage.outcome)

    assert (foreign.status_code, [one.status_code for one in begun]) == (401, [201, 201])
    assert begun[0].json()["id"] == begun[1].json()["id"]
    assert begun[0].json()["who"] == "anna (GitHub)"
    assert "alert churn is slow (Sev2) fired; it names the canary" in answer.json()["decided"]
    assert stage.outcome() == "rolled_back"
    assert stage.writes == [live(blue=80, green=20), live(blue=100)]
    assert not users.failed
    _assert_in_order(stage, fired_at, capsys)


def _alert(stage: Stage, fired_at: datetime) -> Any:
    """As Azure Monitor sends it: a static metric alert split by deployment."""
    alert = payload("azure/alert_metric_static")
    target = f"{stage.emulator.workspace_id}/onlineEndpoints/{stage.name}"
    essentials = {"alertTargetIDs": [target.lower()], "firedDateTime": fired_at.isoformat()}
    alert["data"]["essentials"].update(essentials)
    return alert


def _assert_in_order(stage: Stage, fired_at: datetime, capsys: pytest.CaptureFixture[str]) -> None:
    """Alert, decision, request, acceptance, seen: one after another, and told apart."""
    back = stage.view["rollback"]
    names = ("decided_at", "asked_at", "accepted_at", "seen_at")
    times = [fired_at, *(datetime.fromisoformat(back[name]) for name in names)]
    after = [(at - fired_at).total_seconds() for at in times[1:]]
    told = ", ".join(f"{name} {took:.3f} s" for name, took in zip(names, after, strict=True))
    with capsys.disabled():
        print(f"\nafter the alert: {told}")  # noqa: T201 - what the journey measures

    assert times == sorted(times)
    assert after[1] < 5
    explained = stage.controller.cli("explain", stage.name).stdout
    assert "after the decision: request " in explained
    assert "acceptance " in explained
    assert "seen " in explained
