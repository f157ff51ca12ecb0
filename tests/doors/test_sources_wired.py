"""The settings of sources and guards: what is refused, and which parts stand behind the ports."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rollout import wiring
from rollout.adapters.azure.collected_blobs import CollectedBlobs
from rollout.adapters.azure.logs import LogMetrics
from rollout.adapters.azure.monitor import MonitorMetrics
from rollout.adapters.collected import Folder
from rollout.analysis.report import Guard
from rollout.core.notify import Target, TargetKind
from rollout.core.pairs_from import PairsFrom
from rollout.errors import Malformed
from rollout.measuring import Sources
from rollout.settings import Settings
from tests.wired import forget_parts

WORKSPACE = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
)
KQL, PROMETHEUS, HTTP = (
    Guard(name="a", kql="x"),
    Guard(name="b", prometheus="x"),
    Guard(name="c", http="https://x.example/"),
)


def given(**told: str) -> dict[str, str]:
    known = {"api_token": "t", "workspaces": WORKSPACE, "arm_url": "http://127.0.0.1:9"}
    known |= {"identity": "emulator"}
    return {f"ROLLOUT_{name.upper()}": value for name, value in (known | told).items()}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"logs_url": "http://api.loganalytics.io"}, "must be https"),
        ({"metrics_url": "http://{region}.metrics.monitor.azure.com"}, "must be https"),
        ({"prometheus_url": "prometheus:9090"}, "must be an http or https URL"),
        ({"logs_workspace": "a/b"}, "ROLLOUT_LOGS_WORKSPACE"),
        ({"logs_lag_minutes": "0"}, "ROLLOUT_LOGS_LAG_MINUTES"),
        ({"metrics_api": "both"}, "ROLLOUT_METRICS_API"),
        ({"collector": "http://acc.blob.core.windows.net/c"}, "is no container; write https://"),
        ({"collector": "https://acc.blob.core.windows.net/c1x?sig=1"}, "ROLLOUT_COLLECTOR"),
    ],
)
def test_a_wrong_setting_is_named(told: dict[str, str], said: str) -> None:
    with pytest.raises(Malformed, match=said):
        Settings.load(given(**told))


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Sources]]:
    """The parts that those settings choose; what was made before is forgotten."""

    def sources(**told: str) -> Sources:
        for name, value in given(data=str(tmp_path), **told).items():
            monkeypatch.setenv(name, value)
        forget_parts()
        return wiring.sources()

    yield sources
    forget_parts()


def test_without_settings_there_are_metrics_and_public_addresses(
    wired: Callable[..., Sources],
) -> None:
    sources = wired()

    assert isinstance(sources.metrics, MonitorMetrics)
    assert sources.logs is None
    assert sources.custom is not None
    assert "ROLLOUT_LOGS_WORKSPACE" in (sources.custom.missing(KQL) or "")
    assert "ROLLOUT_PROMETHEUS_URL" in (sources.custom.missing(PROMETHEUS) or "")
    assert sources.custom.missing(HTTP) is None


def test_each_setting_has_its_part(wired: Callable[..., Sources]) -> None:
    sources = wired(
        logs_workspace="w1",
        logs_url="http://127.0.0.1:9",
        logs_lag_minutes="4",
        prometheus_url="http://prometheus.internal:9090",
        metrics_api="batch",
        outgoing_private="true",
    )

    assert isinstance(sources.logs, LogMetrics)
    assert sources.logs.lag == 4 * sources.clock.minute
    assert sources.custom is not None
    assert not any(sources.custom.missing(one) for one in (KQL, PROMETHEUS, HTTP))
    assert sources.custom.lag(KQL) == sources.logs.lag
    assert getattr(sources.metrics, "_batch") is not None  # noqa: B009 - what the setting chose
    assert vars(wiring.outgoing())["_private"] is True
    assert set(sources.written) == {PairsFrom.LOGS}


@pytest.mark.parametrize("folder", [True, False])
def test_what_data_collectors_write_is_read_from_a_folder_or_a_container(
    wired: Callable[..., Sources], folder: bool, tmp_path: Path
) -> None:
    place = str(tmp_path) if folder else "https://acc.blob.core.windows.net/ml-1/modelDataCollector"

    (found,) = wired(collector=place, collector_lag_minutes="7").written.items()

    assert found[0] is PairsFrom.COLLECTOR
    assert found[1].lag == timedelta(minutes=7)
    assert isinstance(vars(found[1])["_place"], Folder if folder else CollectedBlobs)


def test_starts_and_the_doctor_know_the_places_of_the_settings(
    wired: Callable[..., Sources], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollout.wiring.doors.log", lambda: None)  # it hides "t" in every log
    wired(notify='{"teams": {"room": {"url": "https://teams.example/hook"}}}')
    room = Target(kind=TargetKind.TEAMS, name="room")
    gate = Target(kind=TargetKind.WEBHOOK, name="gate")

    for missing in (wiring.engine()._looks._missing, wiring.doctor().house.missing):
        assert missing(room) is None
        assert "ROLLOUT_NOTIFY" in (missing(gate) or "")
