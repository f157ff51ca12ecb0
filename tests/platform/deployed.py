"""The controller as it runs on Azure: deployed, in Microsoft's runtime, before real storage."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rollout.adapters.clock import SystemClock
from tests.broker import Broker
from tests.functions.conftest import TOKEN
from tests.journeys.controller import GITHUB_SECRET, Controller
from tests.journeys.stage import Stage
from tests.platform.host import Platform, running_platform
from tests.platform.storage import Storage


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
            SystemClock(self.speed),
            ROLLOUT_API_TOKEN=TOKEN,
            ROLLOUT_GITHUB_SECRET=GITHUB_SECRET,
            ROLLOUT_WORKSPACES=self.emulator.workspace_id,
            ROLLOUT_POLICIES=str(self.policies),
            ROLLOUT_ARM_URL=self.emulator.url,
            ROLLOUT_IDENTITY="emulator",
            ROLLOUT_CLOCK_SPEED=str(self.speed),
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
