"""`rollout doctor` on a running controller and a running emulator: well, and made ill."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.running import EmulatorHandle, eventually
from tests.journeys.controller import Controller
from tests.journeys.policies import write_policies

pytestmark = pytest.mark.journey

POLICY = "match: {endpoint: quiet}\nstages:\n  - canary: {weight: 10}\n"


@pytest.fixture(scope="module")
def controller(
    azure: EmulatorHandle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Controller]:
    """Over an endpoint that nobody asks anything."""
    folder = tmp_path_factory.mktemp("doctor")
    write_policies(folder / "policies", quiet=POLICY)
    azure.endpoint("quiet")
    running = Controller(azure, folder / "data", folder / "policies")
    running.start()
    yield running
    running.stop()


def examined(controller: Controller) -> tuple[int, dict[str, Any]]:
    done = controller.cli("doctor", "--json")
    report = json.loads(done.stdout)
    return done.returncode, {one["part"]: one for one in report["diagnoses"]}


@contextmanager
def switched(azure: EmulatorHandle, **switches: object) -> Iterator[None]:
    before = azure.own("switches")
    azure.switch(**switches)
    try:
        yield
    finally:
        azure.switch(**before)


def test_a_controller_over_an_emulator_is_well(controller: Controller) -> None:
    eventually(lambda: examined(controller)[1]["sweep"]["condition"] == "ok", 20)

    code, parts = examined(controller)

    assert code == 0
    assert {name: one["condition"] for name, one in parts.items()} == {
        "identity": "ok",
        "workspace local": "ok",
        "clock": "ok",
        "rights on local": "ok",
        "endpoints of local": "ok",
        "metrics of local/quiet": "warning",
        "logs": "not checked",
        "store": "ok",
        "queue": "ok",
        "dead letters": "ok",
        "sweep": "ok",
        "steps": "ok",
        "policies": "ok",
        "places": "ok",
        "alerts": "not checked",
        "secrets": "not checked",  # pragma: allowlist secret
    }
    shown = controller.cli("doctor")
    assert shown.returncode == 0
    assert "do: send some requests" in shown.stdout


@pytest.mark.parametrize(
    ("switches", "part", "told"),
    [
        ({"refuse_writes": 403}, "rights on local", "changing it, and rolling back"),
        ({"refuse_reads": 403}, "endpoints of local", "onlineEndpoints/read"),
        ({"arm_down": True}, "workspace local", "503"),
        ({"throttle_rate": 1.0}, "workspace local", "429"),
        ({"metrics_down": True}, "metrics of local/quiet", "503"),
    ],
)
def test_what_is_ill_is_named_with_a_remedy(
    controller: Controller, azure: EmulatorHandle, switches: dict[str, Any], part: str, told: str
) -> None:
    with switched(azure, **switches):
        code, parts = examined(controller)

    assert code == 1
    assert parts[part]["condition"] == "failed"
    assert told in parts[part]["told"]
    assert parts[part]["remedy"]
    assert parts["store"]["condition"] == "ok"


def test_an_alert_that_came_is_remembered(controller: Controller) -> None:
    essentials = {
        "alertId": "/subscriptions/s/alerts/1",
        "alertRule": "a test",
        "severity": "Sev4",
        "monitorCondition": "Resolved",
        "alertTargetIDs": [],
        "firedDateTime": "2026-11-21T12:05:00Z",
    }
    body = {"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": essentials}}
    assert controller.ask("POST", "alerts", body).status_code == 202

    told = examined(controller)[1]["alerts"]

    assert told["condition"] == "ok"
    assert "alert a test is about nothing" in told["told"]


def test_a_wrong_workspace_is_named(
    azure: EmulatorHandle, controller: Controller, tmp_path: Path
) -> None:
    mistyped = replace(azure, workspace="loca")
    elsewhere = Controller(mistyped, tmp_path / "data", controller.policies)
    elsewhere.start()
    try:
        code, parts = examined(elsewhere)
    finally:
        elsewhere.stop()

    assert code == 1
    assert parts["workspace loca"]["condition"] == "failed"
    assert "az ml workspace list" in parts["workspace loca"]["remedy"]
