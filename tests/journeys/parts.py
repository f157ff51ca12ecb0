"""What a season's controller stands on, how it dies there, and what goes away under it.

Embedded: `rollout up` over a folder; each life of it is a fork that is killed. Azure: the deployed
package in Microsoft's runtime, its queue on the AMQP broker, its state in an Azurite of its own.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from random import SystemRandom
from threading import Event
from typing import Protocol

from tests.azurite.running import Account
from tests.broker import Broker
from tests.emulator.running import EmulatorHandle, eventually
from tests.functions.deployment import deploy
from tests.journeys import doomed
from tests.journeys.controller import Controller
from tests.platform.deployed import DeployedController
from tests.platform.storage import Storage

SPEED = 60
START_SECONDS = 60.0


class Parts(Protocol):
    """A controller that dies all the while, on parts that come and go."""

    @property
    def controller(self) -> Controller: ...

    @property
    def lives(self) -> tuple[float, float]:
        """Between so many seconds and so many a life lasts."""

    @property
    def troubles(self) -> Sequence[Callable[[Event], None]]:
        """What makes trouble until that event, each beside the others; then all is well."""

    @property
    def deaths(self) -> int: ...

    @property
    def outages(self) -> Mapping[str, int]:
        """How often what went away, and came back."""

    def spare(self) -> None:
        """Kill it no more."""


@dataclass
class Embedded:
    """One process, one folder; there is nothing else that could go away."""

    controller: Controller
    folder: Path
    lives = doomed.LIVES
    troubles: Sequence[Callable[[Event], None]] = ()
    outages: Mapping[str, int] = field(default_factory=dict)

    @property
    def deaths(self) -> int:
        told = self.folder / doomed.DEATHS
        return len(told.read_text().splitlines()) if told.exists() else 0

    def spare(self) -> None:
        (self.folder / doomed.MERCY).touch()


@contextmanager
def embedded(emulator: EmulatorHandle, folder: Path, policies: Path) -> Iterator[Embedded]:
    least, most = map(str, doomed.LIVES)
    launcher = ("tests.journeys.doomed", str(folder), least, most)
    controller = Controller(emulator, folder / "data", policies, launcher, speed=SPEED)
    try:
        controller.launch()
        eventually((controller.data / "token").exists, START_SECONDS)
        yield Embedded(controller, folder)
    finally:
        controller.stop()


@dataclass
class OnAzure:
    """Its worker is killed and replaced; its broker and its account are stopped and started."""

    controller: DeployedController
    account: Account
    lives = (4.0, 12.0)
    deaths: int = 0
    outages: Counter[str] = field(default_factory=Counter)
    _chance: SystemRandom = field(default_factory=SystemRandom)

    @property
    def broker(self) -> Broker:
        return self.controller.storage.broker

    @property
    def troubles(self) -> Sequence[Callable[[Event], None]]:
        return (self._killed, self._cut_off)

    def spare(self) -> None:
        """Who kills has been told; all that listens has to listen still."""
        assert self.controller.platform
        assert all(pump.listens for pump in self.controller.platform.pumps)

    def _killed(self, over: Event) -> None:
        while not over.wait(self._chance.uniform(*self.lives)):
            self.controller.kill()
            self.deaths += 1

    def _cut_off(self, over: Event) -> None:
        """One part after the other, for a while that nobody chose, and then none."""
        for name, leave, come_back in cycle(self._parts):
            if over.wait(self._chance.uniform(4, 9)):
                return
            leave()
            try:
                over.wait(self._chance.uniform(1, 4))
            finally:
                come_back()
            self.outages[name] += 1

    @property
    def _parts(self) -> Sequence[tuple[str, Callable[[], None], Callable[[], None]]]:
        broker, account = self.broker, self.account
        return (
            ("the AMQP broker stopped and started", broker.stop, broker.start),
            ("Azurite stopped and started", account.stop, account.start),
            ("connections to the broker cut", broker.cut, lambda: None),
            ("Azurite frozen, and thawed", account.freeze, account.thaw),
        )


@contextmanager
def on_azure(emulator: EmulatorHandle, folder: Path, policies: Path) -> Iterator[OnAzure]:
    package, kept = folder / "package", folder / "account"
    for one in (package, kept):
        one.mkdir()
    deploy(package)
    account = Account(kept)
    try:
        account.start()
        with Broker() as broker:
            controller = DeployedController(
                emulator,
                folder / "data",
                policies,
                speed=SPEED,
                package=package,
                storage=Storage(account.connection, broker),
            )
            try:
                controller.start()
                yield OnAzure(controller, account)
            finally:
                controller.stop()
    finally:
        account.kill()


PARTS: Mapping[str, Callable[[EmulatorHandle, Path, Path], AbstractContextManager[Parts]]] = {
    "embedded": embedded,
    "azure": on_azure,
}
