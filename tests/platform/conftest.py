"""One emulator and one Azurite; for each journey an endpoint, an account, a broker, a platform."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.azurite.running import Azurite, azurite
from tests.broker import Broker
from tests.emulator.running import EmulatorHandle, running_emulator
from tests.functions.deployment import deploy
from tests.journeys.controller import SPEED
from tests.journeys.policies import write_policies
from tests.journeys.scripts import GOOD
from tests.platform.deployed import DeployedController, DeployedStage
from tests.platform.storage import Storage

_NUMBERS = count(1)


StageMaker = Callable[..., DeployedStage]


@pytest.fixture(scope="module")
def azure() -> Iterator[EmulatorHandle]:
    """Its minutes are as short as the controller's."""
    flags = ("--grain-seconds", str(60 / SPEED), "--routing", "blocks", "--seed", "1")
    with running_emulator(*flags, "--switch", "operation_seconds=0.3") as handle:
        yield handle


@pytest.fixture(scope="module")
def accounts() -> Iterator[Azurite]:
    with azurite() as running:
        yield running


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deploy(tmp_path_factory.mktemp("package"))


@pytest.fixture
def a_stage(
    azure: EmulatorHandle, accounts: Azurite, package: Path, tmp_path: Path
) -> Iterator[StageMaker]:
    """Makes an endpoint where `blue` serves, beside it deployments of scripts by name."""
    with ExitStack() as stack:

        def make(policy: str, **scripts: str) -> DeployedStage:
            name = f"numbers-{next(_NUMBERS)}"
            policies = tmp_path / f"{name}-policies"
            write_policies(policies, numbers=policy)
            storage = Storage(accounts.new_account(), stack.enter_context(Broker()))
            controller = DeployedController(
                azure, tmp_path / f"{name}-data", policies, package=package, storage=storage
            )
            stage = DeployedStage(azure, tmp_path, name, controller)
            stage.build(blue=GOOD, **scripts)
            stack.callback(controller.stop)
            controller.start()
            return stage

        yield make
