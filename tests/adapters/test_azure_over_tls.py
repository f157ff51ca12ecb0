"""The adapters over HTTPS, against the emulator with a certificate of its own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rollout.adapters.azure.access import ArmAccess
from rollout.adapters.azure.arm import ArmEndpoints
from rollout.adapters.azure.identity import EmulatorCredential
from rollout.adapters.azure.monitor import MonitorMetrics
from rollout.adapters.azure.pipeline import ArmClient
from rollout.adapters.azure.scoring import HttpScoring
from rollout.core.endpoint import EndpointId, WorkspaceId
from rollout.core.traffic import Traffic
from rollout.errors import Unavailable
from rollout.ports import Accepted
from tests.emulator.running import EmulatorHandle, eventually, running_emulator
from tests.emulator.test_tls import a_certificate

pytestmark = pytest.mark.journey

MINUTE = timedelta(seconds=2)
BLUE = Traffic.all_to("blue")
SCRIPT = "def init():\n    pass\n\n\ndef run(data):\n    return 'blue'\n"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_certificate(tmp_path_factory.mktemp("certificate"))[0]


@pytest.fixture(scope="module")
def emulator(chain: Path) -> Iterator[EmulatorHandle]:
    flags = ("--certificate", str(chain), "--private-key", str(chain.with_name("key.pem")))
    with running_emulator(*flags, "--grain-seconds", "2") as running:
        yield running


@pytest.fixture
def trusted(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(chain))


@pytest.fixture
def arm(emulator: EmulatorHandle) -> Iterator[ArmClient]:
    client = ArmClient(emulator.url, EmulatorCredential())
    yield client
    client.close()


@pytest.fixture
def workspace(emulator: EmulatorHandle) -> WorkspaceId:
    return WorkspaceId.parse(emulator.workspace_id)


@pytest.mark.usefixtures("trusted")
def test_every_adapter_speaks_https(
    emulator: EmulatorHandle, arm: ArmClient, workspace: WorkspaceId, tmp_path: Path
) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    emulator.endpoint("churn")
    emulator.deploy("churn", "blue", tmp_path)
    churn, endpoints = workspace.endpoint("churn"), ArmEndpoints(arm)

    accepted = endpoints.set_traffic(churn, BLUE, None, bool)
    assert isinstance(accepted, Accepted)
    assert (accepted.operation or "").startswith("https://127.0.0.1:")
    eventually(lambda: not endpoints.operation(accepted.operation or "").running)
    eventually(lambda: endpoints.read(churn).traffic == BLUE)
    assert not arm.on_this_machine

    scoring = HttpScoring(arm)
    assert scoring.score(churn, "blue", b"{}").status == 200
    scoring.close()
    eventually(lambda: _counted(arm, churn))
    assert ArmAccess(arm).endpoints(workspace) == [churn]
    assert not ArmAccess(arm).lacks(workspace)


def _counted(arm: ArmClient, churn: EndpointId) -> bool:
    now = datetime.now(UTC)
    return bool(MonitorMetrics(arm, MINUTE).read(churn, now - 10 * MINUTE, now))


def test_a_certificate_that_nobody_vouches_for_is_named_with_the_remedy(
    arm: ArmClient, workspace: WorkspaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)

    with pytest.raises(Unavailable, match=r"certificate is not trusted; .*REQUESTS_CA_BUNDLE"):
        ArmAccess(arm).visit(workspace)
