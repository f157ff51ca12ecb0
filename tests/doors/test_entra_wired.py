"""Which proofs the settings let in, by the real wiring: Entra ID, a setting, a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout import wiring
from rollout.api import Request
from rollout.core.callers import LocalToken, Role
from tests.doors.entra import AUDIENCE, TENANT, Entra, running
from tests.simulation.world import CHURN
from tests.wired import forget_parts

SET, FILED = "rollout_in-the-setting", "rollout_in-the-file"


@pytest.fixture
def entra() -> Iterator[Entra]:
    with running() as stand_in:
        yield stand_in


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, entra: Entra) -> Iterator[None]:
    known = {
        "ROLLOUT_WORKSPACES": CHURN.in_workspace.arm_id,
        "ROLLOUT_ARM_URL": "http://127.0.0.1:9",
        "ROLLOUT_IDENTITY": "emulator",
        "ROLLOUT_DATA": str(tmp_path),
        "ROLLOUT_TOKENS": str(LocalToken.of("ci", Role.OPERATOR, SET)),
        "ROLLOUT_ENTRA_TENANT": TENANT,
        "ROLLOUT_ENTRA_AUDIENCE": f"{AUDIENCE}, ",
        "ROLLOUT_ENTRA_AUTHORITY": f"{entra.url}/",
    }
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ROLLOUT_API_TOKEN", raising=False)
    (tmp_path / "tokens").write_text(f"{LocalToken.of('anna', Role.READER, FILED)}\n")
    forget_parts()
    yield
    forget_parts()


def _about(shown: str) -> int:
    headers = {"authorization": f"Bearer {shown}"}
    return wiring.api().answer("about", Request("GET", headers=headers)).status


def test_each_proof_opens_the_door_and_nothing_else_does(entra: Entra) -> None:
    forged = entra.token(key="stranger", kid="first")
    shown = [entra.token(), SET, FILED, forged, "rollout_guessed", ""]

    assert [_about(one) for one in shown] == [200, 200, 200, 401, 401, 401]
