"""One copy of what is deployed, and the runtime on it, for all of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functions.deployment import deploy
from tests.functions.runtime import Runtime, running_runtime

NOWHERE = "http://127.0.0.1:9"
"""An address of this machine where nothing answers."""

WORKSPACE = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
)
TOKEN = "let me in"


def settings(data: Path, arm_url: str = NOWHERE, workspace: str = WORKSPACE) -> dict[str, str]:
    """What the app would be told by its app settings."""
    return {
        "ROLLOUT_API_TOKEN": TOKEN,
        "ROLLOUT_WORKSPACES": workspace,
        "ROLLOUT_DATA": str(data),
        "ROLLOUT_ARM_URL": arm_url,
        "ROLLOUT_IDENTITY": "emulator",
    }


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deploy(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded store's folder."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def runtime(package: Path, data: Path) -> Iterator[Runtime]:
    """The app without Azure: its store is embedded, and ARM does not answer."""
    with running_runtime(package, data / "worker.log", **settings(data)) as running:
        yield running
