"""One emulator for each module, one endpoint and one controller for each journey."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.emulator.running import EmulatorHandle, running_emulator
from tests.journeys.controller import SPEED, UP, Controller, Launcher
from tests.journeys.policies import write_policies
from tests.journeys.scripts import GOOD
from tests.journeys.stage import Stage

StageMaker = Callable[..., Stage]
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def azure() -> Iterator[EmulatorHandle]:
    """Its minutes are as short as the controller's."""
    flags = ("--grain-seconds", str(60 / SPEED), "--routing", "blocks", "--seed", "1")
    with running_emulator(*flags, "--switch", "operation_seconds=0.3") as handle:
        yield handle


@pytest.fixture
def a_stage(azure: EmulatorHandle, tmp_path: Path) -> Iterator[StageMaker]:
    """Makes an endpoint where `blue` serves, beside it deployments of scripts by name.

    Its policy is called `numbers`; its controller runs when it is `up`.
    """
    with ExitStack() as stack:

        def make(
            policy: str,
            *,
            up: bool = True,
            launcher: Launcher = UP,
            settings: Mapping[str, str] | None = None,
            properties: Mapping[str, object] | None = None,
            **scripts: str,
        ) -> Stage:
            name = f"numbers-{next(_NUMBERS)}"
            policies = tmp_path / f"{name}-policies"
            write_policies(policies, numbers=policy)
            data = tmp_path / f"{name}-data"
            controller = Controller(azure, data, policies, launcher, variables=settings or {})
            stage = Stage(azure, tmp_path, name, controller, properties=properties or {})
            stage.build(blue=GOOD, **scripts)
            stack.callback(controller.stop)
            if up:
                controller.start()
            return stage

        yield make
