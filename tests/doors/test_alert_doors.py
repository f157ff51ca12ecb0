"""The doors of those who watch: from an alert's arrival to the traffic request in one hop."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rollout.core.endpoint import EndpointId
from rollout.core.rollout import Phase
from rollout.errors import Unavailable
from rollout.ports import Held
from tests.doors.callers import Caller, a_caller, read
from tests.doors.payloads import payload
from tests.simulation.azure import SimulatedMetrics
from tests.simulation.world import CHURN, POLICY


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return a_caller(tmp_path, POLICY)


def _group(caller: Caller, status: str = "firing", **labels: str) -> dict[str, Any]:
    group: dict[str, Any] = payload("prometheus/alertmanager")
    (alert, *_) = group["alerts"]
    alert["startsAt"] = caller.world.clock.now().isoformat()
    alert["status"] = status
    alert["labels"] = {"alertname": "ChurnErrors", "endpoint": "churn", **labels}
    return {**group, "alerts": [alert]}


def _with_traffic(caller: Caller) -> None:
    caller.start()
    caller.world.run(minutes=10)
    assert caller.world.rollout.shares


def test_a_group_of_alertmanager_rolls_back(caller: Caller) -> None:
    _with_traffic(caller)

    answer = caller.ask("take_alertmanager", _group(caller, severity="critical"))

    assert answer.status == 202
    assert "alert ChurnErrors (Sev1) fired; the canary is not proven" in read(answer)["decided"]
    assert caller.world.phase is Phase.ROLLING_BACK


def test_a_group_that_names_the_baseline_blames_nobody(caller: Caller) -> None:
    _with_traffic(caller)

    answer = caller.ask("take_alertmanager", _group(caller, severity="critical", deployment="Blue"))

    assert read(answer)["decided"] == "alert ChurnErrors (Sev1) names blue, not the canary"
    assert caller.world.rollout.rollback is None


def test_a_repeated_group_is_decided_once_and_refreshed(caller: Caller) -> None:
    group = _group(caller, severity="critical")
    caller.ask("take_alertmanager", group)
    caller.world.clock.advance(timedelta(minutes=50))

    again = caller.ask("take_alertmanager", group)
    caller.world.clock.advance(timedelta(minutes=50))

    assert read(again)["decided"] == "it is decided already"
    assert caller.start().status == 422


def test_an_alert_that_cannot_be_decided_keeps_no_other_of_its_group_waiting(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_traffic(caller)
    group = _group(caller, severity="critical")
    (ours,) = group["alerts"]
    other = {**ours, "labels": {**ours["labels"], "endpoint": "fraud"}, "fingerprint": "f"}
    _cannot_read(caller, "fraud", monkeypatch)

    answer = caller.ask("take_alertmanager", {**group, "alerts": [other, ours]})

    assert (answer.status, caller.world.phase) == (503, Phase.ROLLING_BACK)
    assert read(answer)["detail"] == "the Head of fraud cannot be read"


def _cannot_read(caller: Caller, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load = caller.world.store.load

    def load_others(endpoint: EndpointId) -> Held:
        if endpoint.name == name:
            raise Unavailable(f"the Head of {name} cannot be read")
        return load(endpoint)

    monkeypatch.setattr(caller.world.store, "load", load_others)


@pytest.mark.parametrize("body", [{"version": "4", "alerts": []}, b""])
def test_an_empty_group_says_so(caller: Caller, body: Any) -> None:
    answer = caller.ask("take_alertmanager", body)

    assert answer.status == (400 if body == b"" else 202)


# -- before a start ------------------------------------------------------------------------------


def test_an_alert_that_fires_already_refuses_the_start_and_names_the_way(caller: Caller) -> None:
    caller.ask("take_alertmanager", _group(caller, severity="critical"))

    refused = caller.start()
    despite = caller.start(despite_alerts=["ChurnErrors"])

    assert refused.status == 422
    assert "--despite-alert 'ChurnErrors'" in read(refused)["detail"]
    assert despite.status == 201
    (why,) = caller.world.told
    assert why == "ci starts green against blue under churn, despite the alert ChurnErrors"


def test_its_end_lets_the_start_through(caller: Caller) -> None:
    group = _group(caller, severity="critical")
    caller.ask("take_alertmanager", group)
    resolved = {**group, "alerts": [{**group["alerts"][0], "status": "resolved"}]}

    caller.ask("take_alertmanager", resolved)

    assert caller.start().status == 201


# -- one hop, and no metrics ---------------------------------------------------------------------


def test_from_alert_to_request_is_one_hop_and_no_metrics_are_read(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_traffic(caller)
    world = caller.world
    monkeypatch.setattr(SimulatedMetrics, "read", _nobody_may_ask)
    world.policies.text = "a broken policy file:"

    caller.ask("take_alertmanager", _group(caller, severity="critical"))

    last = world.azure.writes[-1]
    assert (last.at, last.traffic.live) == (world.clock.now(), {"blue": 100})


def _nobody_may_ask(*_: object) -> None:
    raise AssertionError("the metrics were asked")


def test_while_azure_is_busy_the_view_says_what_it_waits_for_and_since_when(
    caller: Caller,
) -> None:
    _with_traffic(caller)
    caller.world.azure.faults.busy = 1.0
    fired_at = caller.world.clock.now()

    caller.ask("take_alertmanager", _group(caller, severity="critical"))
    caller.world.run(minutes=0.1)
    view = read(caller.ask("show_rollout", ref="churn"))

    since = f"{fired_at:%H:%M:%S}"
    assert view["waits_for"].startswith("for Azure to take the request for blue 100 %: asked ")
    assert f"times since {since} UTC, and put off: 409 Conflict" in view["waits_for"]


def test_the_times_to_request_to_acceptance_and_to_seen_are_told_apart(caller: Caller) -> None:
    _with_traffic(caller)
    caller.world.azure.faults.busy = 1.0
    caller.ask("take_alertmanager", _group(caller, severity="critical"))
    caller.world.run(minutes=0.25)
    caller.world.azure.faults.busy = 0.0
    caller.world.run(minutes=5)

    entries = read(caller.ask("rollout_history", ref="churn"))["entries"]
    told = [one["numbers"].get("seconds_after_decision") for one in entries]
    accepted, seen = [one for one in told if one]
    back = read(caller.ask("show_rollout", ref="churn"))["rollback"]

    assert (accepted["request"], seen["request"]) == (0.0, 0.0)
    assert 15 <= accepted["acceptance"] <= 25
    assert accepted["acceptance"] == seen["acceptance"] < seen["seen"]
    assert back["asked_at"] == back["decided_at"] < back["accepted_at"] < back["seen_at"]
    (alarm,) = [one for one in entries if one["event"] == "AlertFired"]
    assert alarm["numbers"]["heard_after_seconds"] == 0.0


def test_an_alert_of_an_endpoint_where_nothing_runs_is_kept(caller: Caller) -> None:
    caller.ask("take_alertmanager", _group(caller, endpoint="w/churn"))

    assert [one.rule for one in caller.world.store.load(CHURN).head.alerts] == ["ChurnErrors"]


def test_the_view_shows_what_fires(caller: Caller) -> None:
    _with_traffic(caller)
    caller.ask("take_alertmanager", _group(caller, deployment="blue", severity="critical"))

    firing = read(caller.ask("show_rollout", ref="churn"))["alerts"]
    ended = _group(caller, "resolved", deployment="blue", severity="critical")
    caller.ask("take_alertmanager", ended)

    assert [one["rule"] for one in firing] == ["ChurnErrors"]
    assert read(caller.ask("show_rollout", ref="churn"))["alerts"] == []
