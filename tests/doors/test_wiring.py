"""Which queue the settings choose, and what a wrong one is told."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout import host, wiring
from rollout.adapters.sqlite.queue import SqliteQueue
from rollout.errors import Malformed
from rollout.settings import Settings
from tests.simulation.world import CHURN
from tests.wired import forget_parts

LOCAL = "Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=x;SharedAccessKey=y;"
KNOWN = {"ROLLOUT_API_TOKEN": "t", "ROLLOUT_WORKSPACES": CHURN.in_workspace.arm_id}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name, value in {**KNOWN, "ROLLOUT_DATA": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    forget_parts()
    yield
    forget_parts()


def test_without_a_setting_the_queue_is_embedded() -> None:
    assert isinstance(wiring.queue(), SqliteQueue)
    assert wiring.queue() is wiring.embedded_queue()


def test_dead_letters_are_pruned_where_the_queue_is_embedded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    embedded = wiring.retention().graves

    forget_parts()
    monkeypatch.setenv("ROLLOUT_SERVICE_BUS", "contoso.servicebus.windows.net")

    assert isinstance(embedded, SqliteQueue)
    assert wiring.retention().graves is None


def test_a_namespace_is_served_by_service_bus_and_nothing_is_opened_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROLLOUT_SERVICE_BUS", "contoso.servicebus.windows.net")

    chosen = wiring.queue()

    assert type(chosen).__name__ == "ServiceBusQueue"
    assert "rollout.adapters.azure.service_bus" in sys.modules


def test_a_machine_runs_on_its_embedded_queue_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLOUT_SERVICE_BUS", "contoso.servicebus.windows.net")

    with pytest.raises(Malformed, match="unset it, or run the app in Azure Functions"):
        host.serve(port=0, on_ready=print)


@pytest.mark.parametrize(
    "address",
    [
        "contoso.servicebus.windows.net",
        "contoso-1.servicebus.chinacloudapi.cn",
        f"{LOCAL}UseDevelopmentEmulator=true;",
    ],
)
def test_a_namespace_and_a_broker_on_this_machine_are_taken(address: str) -> None:
    settings = Settings.load({**KNOWN, "ROLLOUT_SERVICE_BUS": address})

    assert settings.service_bus
    assert address not in repr(settings)


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("contoso", "write its host, such as NAME.servicebus.windows.net"),
        ("sb://contoso.servicebus.windows.net/", "write its host"),
        ("https://contoso.servicebus.windows.net", "write its host"),
        (LOCAL.replace("127.0.0.1:5672", "contoso.servicebus.windows.net"), "no shared keys"),
        (LOCAL.replace("127.0.0.1", "127.0.0.1.contoso.net"), "no shared keys"),
        ("SharedAccessKey=topsecret", "no shared keys"),
        (LOCAL, "add UseDevelopmentEmulator=true"),
        (f"{LOCAL}UseDevelopmentEmulator=True", "add UseDevelopmentEmulator=true"),
    ],
)
def test_another_address_is_refused_with_the_remedy_and_never_shown(
    address: str, remedy: str
) -> None:
    with pytest.raises(Malformed) as refused:
        Settings.load({**KNOWN, "ROLLOUT_SERVICE_BUS": address})

    assert str(refused.value).startswith("ROLLOUT_SERVICE_BUS (the namespace,")
    assert remedy in str(refused.value)
    assert "SharedAccessKey=" not in str(refused.value)


def test_a_namespace_needs_somebody_who_signs_in() -> None:
    local = {"ROLLOUT_IDENTITY": "emulator", "ROLLOUT_ARM_URL": "http://127.0.0.1:1"}

    with pytest.raises(Malformed, match="refused for a namespace of Service Bus"):
        Settings.load({**KNOWN, **local, "ROLLOUT_SERVICE_BUS": "contoso.servicebus.windows.net"})


WITHOUT_AZURE = """
import sys
sys.modules["azure.servicebus"] = None
sys.path.insert(0, ".")
import function_app
from rollout import wiring
print(type(wiring.queue()).__name__)
"""


def test_the_embedded_queue_needs_no_azure_package() -> None:
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT_AZURE],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )

    assert told.stdout.strip() == "SqliteQueue"
