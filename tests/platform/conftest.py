"""One emulator and one deployed package; for each journey an endpoint and a platform of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from rollout.adapters.clock import SystemClock
from tests.emulator.running import EmulatorHandle, running_emulator
from tests.functions.conftest import TOKEN
from tests.functions.deployment import deploy
from tests.journeys.controller import SPEED, Controller
from tests.journeys.policies import write_policies
from tests.journeys.scripts import GOOD
from tests.journeys.stage import Stage
from tests.platform.host import embedded, running_platform

StageMaker = Callable[..., Stage]
_NUMBERS = count(1)


@dataclass
class DeployedController(Controller):
    """The controller as it runs on Azure: nothing of it is in this process."""

    package: Path = field(kw_only=True)
    address: str = ""
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        return self.address

    @property
    def dead(self) -> bool:
        return False

    def start(self) -> None:
        self.data.mkdir(parents=True)
        (self.data / "token").write_text(TOKEN)
        clock = SystemClock(SPEED)
        platform = running_platform(
            self.package,
            self._log_path,
            embedded(self.data, clock),
            clock,
            ROLLOUT_API_TOKEN=TOKEN,
            ROLLOUT_WORKSPACES=self.emulator.workspace_id,
            ROLLOUT_POLICIES=str(self.policies),
            ROLLOUT_ARM_URL=self.emulator.url,
            ROLLOUT_IDENTITY="emulator",
            ROLLOUT_CLOCK_SPEED=str(SPEED),
            ROLLOUT_METRICS_LAG_MINUTES="1",
        )
        self.address = self.stack.enter_context(platform)

    def stop(self) -> None:
        self.stack.close()


@pytest.fixture(scope="module")
def azure() -> Iterator[EmulatorHandle]:
    """Its minutes are as short as the controller's."""
    flags = ("--grain-seconds", str(60 / SPEED), "--routing", "blocks", "--seed", "1")
    with running_emulator(*flags, "--switch", "operation_seconds=0.3") as handle:
        yield handle


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deploy(tmp_path_factory.mktemp("package"))


@pytest.fixture
def a_stage(azure: EmulatorHandle, package: Path, tmp_path: Path) -> Iterator[StageMaker]:
    """Makes an endpoint where `blue` serves, beside it deployments of scripts by name."""
    with ExitStack() as stack:

        def make(policy: str, **scripts: str) -> Stage:
            name = f"numbers-{next(_NUMBERS)}"
            policies = tmp_path / f"{name}-policies"
            write_policies(policies, numbers=policy)
            data = tmp_path / f"{name}-data"
            controller = DeployedController(azure, data, policies, package=package)
            stage = Stage(azure, tmp_path, name, controller)
            stage.build(blue=GOOD, **scripts)
            stack.callback(controller.stop)
            controller.start()
            return stage

        yield make
