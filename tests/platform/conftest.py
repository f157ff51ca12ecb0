"""One emulator and one Azurite; for each journey an endpoint, an account, a broker, a platform."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from rollout.adapters.clock import SystemClock
from tests.azurite.running import Azurite, azurite
from tests.broker import Broker
from tests.emulator.running import EmulatorHandle, running_emulator
from tests.functions.conftest import TOKEN
from tests.functions.deployment import deploy
from tests.journeys.controller import GITHUB_SECRET, SPEED, Controller
from tests.journeys.policies import write_policies
from tests.journeys.scripts import GOOD
from tests.journeys.stage import Stage
from tests.platform.host import Platform, running_platform
from tests.platform.storage import Storage

_NUMBERS = count(1)


@dataclass
class DeployedController(Controller):
    """The controller as it runs on Azure: nothing of it is in this process."""

    package: Path = field(kw_only=True)
    storage: Storage = field(kw_only=True)
    platform: Platform | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        assert self.platform
        return self.platform.url

    @property
    def dead(self) -> bool:
        return False

    @property
    def saw_trouble(self) -> bool:
        """Whether the broker went away while its queues were listened to."""
        assert self.platform
        return all(pump.trouble for pump in self.platform.pumps)

    def start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        (self.data / "token").write_text(TOKEN)
        running = running_platform(
            self.package,
            self._log_path,
            self.storage,
            SystemClock(SPEED),
            ROLLOUT_API_TOKEN=TOKEN,
            ROLLOUT_GITHUB_SECRET=GITHUB_SECRET,
            ROLLOUT_WORKSPACES=self.emulator.workspace_id,
            ROLLOUT_POLICIES=str(self.policies),
            ROLLOUT_ARM_URL=self.emulator.url,
            ROLLOUT_IDENTITY="emulator",
            ROLLOUT_CLOCK_SPEED=str(SPEED),
            ROLLOUT_METRICS_LAG_MINUTES="1",
            ROLLOUT_SECRET_FILE=str(self.data / "secrets.json"),
        )
        self.platform = self.stack.enter_context(running)

    def kill(self) -> None:
        """Kill its process as `kill -9` does; the platform starts the next one."""
        assert self.platform
        self.platform.instance.kill()

    def stop(self) -> None:
        self.stack.close()


@dataclass
class DeployedStage(Stage):
    """A stage whose controller is deployed."""

    controller: DeployedController

    @property
    def storage(self) -> Storage:
        return self.controller.storage

    def another_app(self) -> "DeployedStage":
        """The same endpoint as seen by a second deployment of the app on the same account.

        It has a namespace of its own.
        """
        here = self.controller
        storage = Storage(self.storage.account, Broker())
        data = here.data.with_name(f"{here.data.name}-2")
        controller = DeployedController(
            self.emulator, data, here.policies, package=here.package, storage=storage
        )
        here.stack.enter_context(storage.broker)
        here.stack.callback(controller.stop)
        controller.start()
        return DeployedStage(self.emulator, self.folder, self.name, controller)


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
